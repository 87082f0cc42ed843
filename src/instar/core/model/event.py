"""What happens in a gateway, as its clients are told.

Events are hints, never the truth: whoever misses one asks again (GW-12). Each is published only after the commit
that made it true, except `AssistantDelta`, which is words in the making.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from instar.core.model.device import DeviceRequest
from instar.core.model.entry import AnyEntry, AssistantMessage, Block, Usage
from instar.core.model.ids import AgentId, ChannelName, Instant, SessionId, SessionKey, TurnId
from instar.core.model.pairing import PairingCode, Peer
from instar.core.model.session import Session

__all__ = [
    "AssistantDelta",
    "CommandAnswered",
    "DeliveriesDue",
    "DeviceRequested",
    "DeviceResolved",
    "Event",
    "MessageStored",
    "PairingRequested",
    "PairingResolved",
    "RunEnded",
    "RunNote",
    "RunPhase",
    "RunStarted",
    "SessionChanged",
    "ShuttingDown",
    "TokenRevoked",
    "ToolEnded",
    "ToolStarted",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A turn began."""

    session_key: SessionKey
    session_id: SessionId
    agent_id: AgentId
    turn_id: TurnId
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPhase:
    """What a turn is busy with, for a progress line."""

    session_key: SessionKey
    agent_id: AgentId
    turn_id: TurnId
    phase: Literal["preparing_context", "starting_model", "compacting"]
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNote:
    """A line for people about a turn, beside its answer: another model answers, the conversation is summarised."""

    session_key: SessionKey
    agent_id: AgentId
    turn_id: TurnId
    text: str
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistantDelta:
    """More of an answer: `delta` is new, `text` is all of this message so far."""

    session_key: SessionKey
    agent_id: AgentId
    turn_id: TurnId
    text: str
    delta: str
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStarted:
    """A tool call began. Arguments stay in the transcript."""

    session_key: SessionKey
    agent_id: AgentId
    turn_id: TurnId
    call_id: str
    name: str
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolEnded:
    """A tool call ended."""

    session_key: SessionKey
    agent_id: AgentId
    turn_id: TurnId
    call_id: str
    name: str
    is_error: bool
    at: Instant
    content: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    """A turn ended, and with it every message that it answered.

    `also` holds the run ids of messages that were merged into the turn: their callers wait for an end as well.
    `message` is the last answer; None where there is none (an error, silence). `silent` says that the agent chose
    to say nothing (FLUSH-6).
    """

    session_key: SessionKey
    session_id: SessionId
    agent_id: AgentId
    turn_id: TurnId
    state: Literal["final", "error", "aborted"]
    at: Instant
    started_at: Instant
    message: AssistantMessage | None = None
    usage: Usage | None = None
    stop_reason: str | None = None
    error: str | None = None
    silent: bool = False
    also: tuple[TurnId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandAnswered:
    """A chat command was done without a model; `text` is what its sender is told, None for silence."""

    session_key: SessionKey
    agent_id: AgentId
    turn_id: TurnId
    text: str | None
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageStored:
    """An entry was committed to a session's transcript. `seq` is its place."""

    session_key: SessionKey
    session_id: SessionId
    agent_id: AgentId
    entry: AnyEntry
    seq: int
    turn_id: TurnId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionChanged:
    """A session's row changed (RESET-30). `session` is None after a deletion; `owner` is then whose it was."""

    session_key: SessionKey
    agent_id: AgentId
    reason: str
    at: Instant
    session: Session | None = None
    turn_id: TurnId | None = None
    phase: str | None = None
    active_run_ids: tuple[TurnId, ...] = field(default=())
    owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveriesDue:
    """A channel owes a reply."""

    channel: ChannelName


@dataclass(frozen=True, slots=True, kw_only=True)
class PairingRequested:
    """A stranger was told a code that waits for the owner's word (LEAK-2)."""

    code: PairingCode


@dataclass(frozen=True, slots=True, kw_only=True)
class PairingResolved:
    """The owner said a word about a person or group; `code` is the one that was answered, empty for a revocation."""

    peer: Peer
    decision: Literal["approved", "rejected", "revoked"]
    at: Instant
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRequested:
    """A device on another machine waits for the owner's word (LEAK-3)."""

    request: DeviceRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceResolved:
    """The owner said a word about a device that waited."""

    request: DeviceRequest
    decision: Literal["approved", "rejected"]
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class ShuttingDown:
    """The gateway stops (GW-15)."""

    reason: str
    restart_expected_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRevoked:
    """A token opens nothing any more; whoever came in by it has to go (LEAK-3)."""

    token_id: str


Event = (
    RunStarted
    | RunPhase
    | RunNote
    | AssistantDelta
    | ToolStarted
    | ToolEnded
    | RunEnded
    | CommandAnswered
    | MessageStored
    | SessionChanged
    | DeliveriesDue
    | DeviceRequested
    | DeviceResolved
    | PairingRequested
    | PairingResolved
    | ShuttingDown
    | TokenRevoked
)
"""Everything a subscriber may see."""
