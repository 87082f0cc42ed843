"""A tool: what the model is told about it, and the call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from instar.core.model.change import Noted
from instar.core.model.entry import Block
from instar.core.model.ids import AgentId, SessionKey, TurnId

__all__ = ["Tool", "ToolContext", "ToolOutput", "ToolSpec"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """What the model is told. `parameters` is a JSON schema of type object.

    `touches_host` says that a call reads, writes or runs something on this machine, so that a sandboxed session runs
    it in its sandbox only (TYPE-8). A tool that says nothing is taken to do so.
    """

    name: str
    description: str
    parameters: Mapping[str, object]
    touches_host: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext:
    """For whom a tool runs."""

    session_key: SessionKey
    agent_id: AgentId
    turn_id: TurnId
    call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolOutput:
    """What a tool gives back. `is_error` tells the model that it failed; `details` is for people, not the model.

    `decisions` are recorded together with the result (WHY-1).
    """

    content: tuple[Block, ...]
    is_error: bool = False
    details: object | None = None
    decisions: tuple[Noted, ...] = ()


class Tool(Protocol):
    """Something the model may call."""

    @property
    def spec(self) -> ToolSpec:
        """Name, description and parameters."""
        ...

    async def call(self, context: ToolContext, arguments: Mapping[str, object]) -> ToolOutput:
        """Run once. Expected failures come back with `is_error`; cancelling stops the work."""
        ...
