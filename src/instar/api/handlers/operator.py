"""Methods of whoever runs the gateway: the configuration and the log (RPC-20, RPC-22)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from instar.api.call import Call, Handler
from instar.config.document import parse_document
from instar.config.edit import remove_setting, write_setting
from instar.config.merge import merge_settings, restore_hidden
from instar.core.explain.report import build_report_fields, tell_report
from instar.core.explain.traffic import TrafficRecord, parse_record
from instar.core.model.ids import Instant
from instar.core.policy.redaction import MARK
from instar.errors import ConfigError, InstarError, InvalidRequest
from instar.ports.operator import ConfigState

__all__ = ["HANDLERS"]

LOG_DEFAULT_LINES: Final = 500
LOG_DEFAULT_BYTES: Final = 250_000
SIMULATE_DEFAULT_MS: Final = 7 * 86_400_000


async def load_config(call: Call) -> object:
    """`config.get`."""
    state = call.services.config.state()
    return {
        "path": state.path or call.gateway.facts().config_path,
        "exists": state.exists,
        "valid": state.problem is None,
        "issues": [] if state.problem is None else [{"path": "", "message": state.problem}],
        "warnings": [{"path": "", "message": text} for text in state.findings],
        "waiting": list(state.waiting),
        "hash": state.text_hash,
        "loadedAt": state.loaded_at,
        "config": dict(state.config),
    }


async def set_config(call: Call) -> object:
    """`config.set`: the whole file, or one setting of it."""
    params = call.params
    raw, path = params.maybe_text("raw"), params.maybe_text("path")
    if (raw is None) == (path is None):
        raise InvalidRequest("invalid config.set params: provide exactly one of raw, path", field="raw")
    if raw is not None:
        return await _write(call, lambda text: restore_hidden(raw, text, mark=MARK))
    setting, value = path or "", params.values.get("value")
    if value is None:
        return await _write(call, lambda text: remove_setting(text, setting))
    return await _write(call, lambda text: write_setting(text, setting, value))


async def patch_config(call: Call) -> object:
    """`config.patch`."""
    try:
        patch = parse_document(call.params.text("raw")).value
    except ConfigError as error:
        raise InvalidRequest(f"invalid config.patch params: raw: {error}", field="raw") from error
    return await _write(call, lambda text: restore_hidden(merge_settings(text, patch), text, mark=MARK))


async def _write(call: Call, change: Callable[[str], str]) -> object:
    """Change the file and tell what holds now; what cannot be used is the caller's mistake."""
    base_hash = call.params.maybe_text("baseHash")
    try:
        state = await call.services.config.write(change, base_hash=base_hash, who=call.caller.who)
    except ConfigError as error:
        raise InvalidRequest(f"invalid config: {error}", field="raw") from error
    return _changed(state)


def _changed(state: ConfigState) -> dict[str, object]:
    return {
        "ok": True,
        "path": state.path,
        "hash": state.text_hash,
        "config": dict(state.config),
        "waiting": list(state.waiting),
    }


async def load_schema(call: Call) -> object:
    """`config.schema`."""
    described = call.services.config.schema()
    return {
        **described,
        "version": call.gateway.facts().version,
        "generatedAt": call.services.clock.now(),
    }


async def simulate(call: Call) -> object:
    """`sessions.simulate`: what is never meant may be tried here, since nothing comes of it."""
    params = call.params
    raw, patch = params.maybe_text("raw"), params.maybe_text("patch")
    if (raw is None) == (patch is None):
        raise InvalidRequest("invalid sessions.simulate params: provide exactly one of raw, patch", field="raw")
    try:
        rules = await asyncio.to_thread(
            call.services.config.propose,
            lambda text: raw if raw is not None else merge_settings(text, parse_document(patch or "").value),
        )
    except ConfigError as error:
        raise InvalidRequest(f"invalid config: {error}", field="raw") from error
    since = Instant(call.services.clock.now() - params.whole("sinceMs", SIMULATE_DEFAULT_MS))
    traffic = _read_traffic(params.list("traffic")) if params.has("traffic") else None
    report = await call.gateway.upkeep.simulate(rules, since=since, traffic=traffic)
    return {**build_report_fields(report), "text": list(tell_report(report))}


def _read_traffic(given: Sequence[object]) -> tuple[TrafficRecord, ...]:
    records: list[TrafficRecord] = []
    for place, each in enumerate(given):
        record = parse_record(each) if isinstance(each, dict) else "record"
        if isinstance(record, str):
            raise InvalidRequest(f"invalid sessions.simulate params: at /traffic/{place}: {record}", field="traffic")
        records.append(record)
    return tuple(records)


async def tail_log(call: Call) -> object:
    """`logs.tail`."""
    params = call.params
    tail = await call.services.logs.tail(
        cursor=params.maybe_whole("cursor"),
        limit=params.whole("limit", LOG_DEFAULT_LINES),
        max_bytes=params.whole("maxBytes", LOG_DEFAULT_BYTES),
        session=_session_names(call),
    )
    answer: dict[str, object] = {
        "file": tail.file,
        "cursor": tail.cursor,
        "size": tail.size,
        "lines": list(tail.lines),
    }
    if tail.truncated:
        answer["truncated"] = True
    if tail.reset:
        answer["reset"] = True
    return answer


def _session_names(call: Call) -> frozenset[str] | None:
    """What a session may be called in the log; None when none was named."""
    named = call.params.text("session").strip()
    if not named:
        return None
    try:
        return frozenset({named, call.gateway.sessions.canonical_key(named)})
    except InstarError:
        return frozenset({named})


HANDLERS: Final[Mapping[str, Handler]] = {
    "config.get": load_config,
    "config.set": set_config,
    "config.patch": patch_config,
    "config.schema": load_schema,
    "sessions.simulate": simulate,
    "logs.tail": tail_log,
}
