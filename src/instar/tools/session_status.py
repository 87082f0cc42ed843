"""``session_status``: the model asks for what `/status` shows a person, and for changes (STATUS-6, STATE-8).

The status is that of the session that it runs in. Of another one that it spawned or watches it is told what happened
there, and no words; any other is answered as one that does not exist (SESSTOOL-13), until the session tools bring the
rules of who sees whom (SESSTOOL-12).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from instar.core.explain.changes import build_changes_fields, build_changes_lines
from instar.core.explain.status import StatusFacts, build_status_fields, build_status_lines, hide_others_spending
from instar.core.model.entry import TextBlock
from instar.core.model.ids import SessionKey
from instar.core.model.state import ChangesSince
from instar.errors import InvariantBroken
from instar.ports.tool import ToolContext, ToolOutput, ToolSpec

__all__ = ["LoadChanges", "LoadStatus", "SessionStatusTool"]

_SPEC: Final = ToolSpec(
    name="session_status",
    description=(
        "Shows the state of this session: model, tokens used and window, cost, age, next automatic reset, queue and "
        "overrides. Use it when asked about the session, its model, its limits or what it costs. With changesSince it "
        "tells what has happened since that version, also in another session that you were told has changed."
    ),
    parameters={
        "type": "object",
        "properties": {
            "sessionKey": {
                "type": "string",
                "description": "Key of the session; leave it out for the one you are in.",
            },
            "changesSince": {
                "type": "integer",
                "minimum": 0,
                "description": "A version of the session: lists what happened after it.",
            },
        },
        "additionalProperties": False,
    },
    touches_host=False,
)

LoadStatus = Callable[[SessionKey], Awaitable[StatusFacts]]
"""Gathers how the session of a key stands."""


class LoadChanges(Protocol):
    """Asks for changes in another session."""

    async def __call__(self, asker: SessionKey, key: SessionKey, *, since: int) -> ChangesSince | None:
        """What `asker` may know of changes in a session after a version; None where it may know nothing."""
        ...


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the model asks for, read from its arguments."""

    key: SessionKey
    since: int | None


class SessionStatusTool:
    """Keeps `instar.ports.tool.Tool`. `connect` gives it the gateway, which is built after its tools."""

    def __init__(self, load_status: LoadStatus | None = None, load_changes: LoadChanges | None = None) -> None:
        self._load_status = load_status
        self._load_changes = load_changes

    @property
    def spec(self) -> ToolSpec:
        """Two optional arguments, ``sessionKey`` and ``changesSince``."""
        return _SPEC

    def connect(self, load_status: LoadStatus, load_changes: LoadChanges) -> None:
        """From now on ask these."""
        self._load_status, self._load_changes = load_status, load_changes

    async def call(self, context: ToolContext, arguments: Mapping[str, object]) -> ToolOutput:
        """The answer as text, then its fields as one line of JSON; `details` holds the fields for clients."""
        asked = _read(arguments, context.session_key)
        if isinstance(asked, str):
            return _failed(asked)
        if self._load_status is None or self._load_changes is None:
            raise InvariantBroken("tools are connected before the first turn", why="session_status was not")
        if asked.since is None and asked.key != context.session_key:
            return _unseen(asked.key)
        # The model may repeat it to whoever writes here, so it is told what anybody here may know.
        facts = hide_others_spending(await self._load_status(context.session_key))
        if asked.since is None:
            return _output(build_status_lines(facts), build_status_fields(facts))
        found = await self._load_changes(context.session_key, asked.key, since=asked.since)
        if found is None:
            return _unseen(asked.key)
        text = build_changes_lines(asked.key, found, since=asked.since, zone=facts.zone)
        return _output(text, build_changes_fields(asked.key, found))


def _read(arguments: Mapping[str, object], own: SessionKey) -> _Asked | str:
    """What is asked for, or the sentence that says what is wrong with it."""
    odd = sorted(set(arguments) - {"sessionKey", "changesSince"})
    if odd:
        return f"session_status takes no {', '.join(odd)}; its arguments are sessionKey and changesSince."
    wanted, since = arguments.get("sessionKey"), arguments.get("changesSince")
    if not (wanted is None or isinstance(wanted, str)):
        return "sessionKey must be text."
    if since is not None and (isinstance(since, bool) or not isinstance(since, int) or since < 0):
        return "changesSince must be a whole number of at least 0."
    key = (wanted or "").strip()
    is_own = not key or key.lower() == own.lower()
    return _Asked(key=own if is_own else SessionKey(key), since=since)


def _output(text: str, fields: dict[str, object]) -> ToolOutput:
    told = json.dumps(fields, ensure_ascii=False, separators=(",", ":"), default=str)
    return ToolOutput(content=(TextBlock(text=text), TextBlock(text=told)), details=fields)


def _unseen(key: SessionKey) -> ToolOutput:
    return _failed(f"There is no session {str(key)!r} that can be seen from here.")


def _failed(text: str) -> ToolOutput:
    return ToolOutput(content=(TextBlock(text=text),), is_error=True)
