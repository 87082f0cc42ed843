"""``session_status``: the model asks for what `/status` shows a person (STATUS-6).

It shows the session that it runs in. Another one is answered as one that does not exist (SESSTOOL-13), until the
session tools bring the rules of who sees whom (SESSTOOL-12).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from instar.core.explain.status import StatusFacts, build_status_fields, build_status_lines
from instar.core.model.entry import TextBlock
from instar.core.model.ids import SessionKey
from instar.errors import InvariantBroken
from instar.ports.tool import ToolContext, ToolOutput, ToolSpec

__all__ = ["LoadStatus", "SessionStatusTool"]

_SPEC: Final = ToolSpec(
    name="session_status",
    description=(
        "Shows the state of this session: model, tokens used and window, cost, age, next automatic reset, queue and "
        "overrides. Use it when asked about the session, its model, its limits or what it costs."
    ),
    parameters={
        "type": "object",
        "properties": {
            "sessionKey": {"type": "string", "description": "Key of the session; leave it out for the one you are in."}
        },
        "additionalProperties": False,
    },
)

LoadStatus = Callable[[SessionKey], Awaitable[StatusFacts]]
"""Gathers how the session of a key stands."""


class SessionStatusTool:
    """Keeps `instar.ports.tool.Tool`. `connect` gives it the gateway, which is built after its tools."""

    def __init__(self, load_status: LoadStatus | None = None) -> None:
        self._load_status = load_status

    @property
    def spec(self) -> ToolSpec:
        """One optional argument, ``sessionKey``."""
        return _SPEC

    def connect(self, load_status: LoadStatus) -> None:
        """From now on ask this for the status."""
        self._load_status = load_status

    async def call(self, context: ToolContext, arguments: Mapping[str, object]) -> ToolOutput:
        """The status as text, then its fields as one line of JSON; `details` holds the fields for clients."""
        odd = sorted(set(arguments) - {"sessionKey"})
        wanted = arguments.get("sessionKey")
        if odd:
            return _failed(f"session_status takes no {', '.join(odd)}; its one argument is sessionKey.")
        if not (wanted is None or isinstance(wanted, str)):
            return _failed("sessionKey must be text.")
        key = (wanted or "").strip()
        if key and key.lower() != context.session_key.lower():
            return _failed(f"There is no session {key!r} that can be seen from here.")
        if self._load_status is None:
            raise InvariantBroken("tools are connected before the first turn", why="session_status was not")
        facts = await self._load_status(context.session_key)
        fields = build_status_fields(facts)
        told = json.dumps(fields, ensure_ascii=False, separators=(",", ":"), default=str)
        return ToolOutput(content=(TextBlock(text=build_status_lines(facts)), TextBlock(text=told)), details=fields)


def _failed(text: str) -> ToolOutput:
    return ToolOutput(content=(TextBlock(text=text),), is_error=True)
