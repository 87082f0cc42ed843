"""The tools of a silent turn for notes (FLUSH-3, FLUSH-4): those of the session, and one that writes notes alone."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Final

from instar.core.model.entry import ToolCall
from instar.core.model.ids import SessionKey
from instar.core.model.session import Session
from instar.core.routing.key import is_main_key
from instar.gateway.parts import GatewayParts
from instar.gateway.tool_policy import choose_tools
from instar.ports.tool import Tool, ToolOutput

__all__ = ["can_write_notes", "choose_note_tools", "is_note_written", "may_keep_notes"]

_WRITERS: Final = frozenset({"write", "edit", "exec"})
"""With one of these an agent can write notes; without any there is nothing that a flush could do."""


def choose_note_tools(parts: GatewayParts, session: Session) -> Mapping[str, Tool]:
    """What the lists of the session let through (TYPE-9).

    The built-in tool for notes is there in the agent's main session only, whose notes they are (LEAK-6); a tool of the
    same name that does more stands in its place.
    """
    tools = parts.tools
    if parts.note_tool is not None and _is_main(parts, session.key):
        tools = {parts.note_tool.spec.name: parts.note_tool, **tools}
    return choose_tools(parts.config(), tools, session, item=None)


def may_keep_notes(parts: GatewayParts, key: SessionKey) -> bool:
    """Whether the session of a key could have a tool for notes at all, before anything is read of it."""
    return can_write_notes(parts.tools) or (parts.note_tool is not None and _is_main(parts, key))


def can_write_notes(tools: Container[str]) -> bool:
    """Whether any of the tools could write a note."""
    return any(name in tools for name in _WRITERS)


def is_note_written(call: ToolCall, output: ToolOutput) -> bool:
    """Whether a call wrote something, as far as can be told."""
    return call.name in _WRITERS and not output.is_error


def _is_main(parts: GatewayParts, key: SessionKey) -> bool:
    return is_main_key(key, main_key=parts.config().routing.keys.main_key)
