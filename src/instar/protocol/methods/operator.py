"""Methods of whoever runs the gateway: the configuration and the log (RPC-20, RPC-22, CFG-12, WHY-5)."""

from __future__ import annotations

from typing import Final

from instar.protocol.methods.row import ADMIN, READ, SESSION_KEY_MAX_CHARS, Method, ignored, text, whole
from instar.protocol.params import Field

__all__ = ["OPERATOR"]

_RAW_MAX_CHARS: Final = 4 * 1024 * 1024

_CHANGED: Final = "`{ok, path, hash, config, waiting}`; `waiting` names settings that hold from the next start"

_BASE_HASH: Final = text("baseHash", most=128, note="of `config.get`: refused when the file has changed since")

OPERATOR: Final = (
    Method(
        name="config.get",
        scope=ADMIN,
        summary="the configuration as it holds, without secrets; `issues` say why the file is not what holds",
        result="`{path, exists, valid, issues, warnings, waiting, hash, loadedAt, config}`",
        rule="RPC-22, CFG-2, CFG-12",
    ),
    Method(
        name="config.set",
        scope=ADMIN,
        summary="the whole file, or one setting of it; what could not be used, or is never meant, is refused",
        result=_CHANGED,
        rule="RPC-22, CFG-12, WHY-5",
        side_effect=True,
        fields=(
            text("raw", most=_RAW_MAX_CHARS, note="the file as JSON5; a value that was shown hidden stays as it is"),
            text("path", most=1024, note="instead of `raw`: one setting, like session.reset.atHour"),
            Field(name="value", kinds=("any",), note="of that setting; null takes it away"),
            _BASE_HASH,
        ),
    ),
    Method(
        name="config.patch",
        scope=ADMIN,
        summary="some settings: objects are merged, null takes one away; comments and layout of the file stay",
        result=_CHANGED,
        rule="RPC-22, CFG-12, WHY-5",
        side_effect=True,
        fields=(
            text("raw", required=True, most=_RAW_MAX_CHARS, note="an object as JSON5"),
            _BASE_HASH,
            *ignored("sessionKey deliveryContext note restartDelayMs replacePaths"),
        ),
    ),
    Method(
        name="config.schema",
        scope=ADMIN,
        summary="every setting as JSON Schema, with help for each",
        result="`{schema, uiHints, version, generatedAt}`",
        rule="RPC-22",
    ),
    Method(
        name="sessions.simulate",
        scope=ADMIN,
        summary="what another configuration would have made of the messages on record: nothing is sent or stored",
        result="`{messages, changesNothing, before, after, merges, splits, resets, silences, voices, renamed, text}`",
        rule="WHY-4",
        fields=(
            text("raw", most=_RAW_MAX_CHARS, note="the proposed configuration as JSON5"),
            text("patch", most=_RAW_MAX_CHARS, note="instead of `raw`: what would be changed, as for config.patch"),
            whole("sinceMs", least=1, note="how far back recorded messages count, default 7 days"),
            Field(
                name="traffic",
                kinds=("array",),
                most=50_000,
                items=Field(name="record", kinds=("object",)),
                note="messages to look at instead of those on record",
            ),
        ),
    ),
    Method(
        name="logs.tail",
        scope=READ,
        summary="lines of the gateway's log, each a JSON object, from a cursor on or the last ones",
        result="`{file, cursor, size, lines, truncated?, reset?}`",
        rule="RPC-20",
        fields=(
            whole("cursor", note="of the last answer"),
            whole("limit", least=1, most=5000, note="lines, default 500"),
            whole("maxBytes", least=1, most=1_000_000, note="default 250000"),
            text("session", most=SESSION_KEY_MAX_CHARS, note="a key or a session id: only lines about it"),
        ),
    ),
)
