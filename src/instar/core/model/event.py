"""What happens in the gateway while it works, as clients are told (RPC-38).

Events are told to listeners in the order in which they happen; per run that order is: `RunStarted`, any number of
`RunPhase`, `AssistantDelta`, `ToolStarted`, `ToolEnded` and `MessageStored`, and exactly one `RunEnded`. They are
hints for people who watch: what counts is in the store, and a listener that missed one reads it there (GW-12).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from instar.core.model.entry import Usage
from instar.core.model.ids import AgentId, EntryId, Instant, SessionId, SessionKey, TurnId
from instar.core.model.query import StoredEntry
from instar.core.model.view import SessionView

__all__ = [
    "AssistantDelta",
    "GatewayEvent",
    "MessageStored",
    "RunEnd",
    "RunEnded",
    "RunPhase",
    "RunStarted",
    "SessionChanged",
    "ToolEnded",
    "ToolStarted",
]

RunEnd = Literal["final", "error", "aborted"]
"""How a run ended: with an answer (perhaps a silent one), a failure, or because somebody stopped it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A turn began: its user entry is committed."""

    run_id: TurnId
    session_key: SessionKey
    agent_id: AgentId
    session_id: SessionId
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPhase:
    """What a turn does while there is no text yet; `phase` is ``preparing_context`` or ``starting_model``."""

    run_id: TurnId
    session_key: SessionKey
    agent_id: AgentId
    phase: str
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistantDelta:
    """More text of an answer. `text` is all of the message so far, `delta` what came since the last event.

    `message_index` counts the assistant messages of the run from 0: text starts over when it rises (after a tool
    call).
    """

    run_id: TurnId
    session_key: SessionKey
    agent_id: AgentId
    text: str
    delta: str
    message_index: int
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStarted:
    """A tool call of the turn is about to run."""

    run_id: TurnId
    session_key: SessionKey
    agent_id: AgentId
    call_id: str
    name: str
    arguments: Mapping[str, object]
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolEnded:
    """A tool call has ended and its result is committed."""

    run_id: TurnId
    session_key: SessionKey
    agent_id: AgentId
    call_id: str
    name: str
    is_error: bool
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    """A run is over. Every run id that was acknowledged gets exactly one of these while the gateway lives.

    `text` is what a person is shown: the answer, the reply of a command, or None when there is nothing to show (a
    silent answer, a message that was merged into another run). `error` is a readable sentence for state ``error``.
    `usage` and `stop_reason` are those of the last model call, None where no model was asked.
    """

    run_id: TurnId
    session_key: SessionKey
    agent_id: AgentId
    state: RunEnd
    at: Instant
    started_at: Instant | None = None
    text: str | None = None
    error: str | None = None
    usage: Usage | None = None
    stop_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageStored:
    """An entry with a message was committed to the current transcript of a session."""

    session_key: SessionKey
    agent_id: AgentId
    session_id: SessionId
    entry: StoredEntry
    at: Instant
    run_id: TurnId | None = None
    session: SessionView | None = None

    @property
    def entry_id(self) -> EntryId:
        """The id of the entry."""
        return self.entry.entry.id


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionChanged:
    """The row of a session changed. `session` is None when it was deleted.

    `reason` is one of ``create``, ``patch``, ``reset``, ``new``, ``delete``, ``compact``, ``inject``, ``abort``,
    ``agent.run.started``, ``agent.input.settled``.
    """

    session_key: SessionKey
    agent_id: AgentId
    reason: str
    at: Instant
    session: SessionView | None = None
    session_id: SessionId | None = None
    run_id: TurnId | None = None


GatewayEvent = (
    RunStarted | RunPhase | AssistantDelta | ToolStarted | ToolEnded | RunEnded | MessageStored | SessionChanged
)
