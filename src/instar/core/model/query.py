"""What one may ask a store: questions and pages of answers. No question reads more than it answers (SCALE-6)."""

from __future__ import annotations

from dataclasses import dataclass

from instar.core.model.change import InboxItem, TranscriptHead
from instar.core.model.decision import RecordedDecision
from instar.core.model.entry import AnyEntry
from instar.core.model.ids import AgentId, DeliveryId, EntryId, InboundId, Instant, SessionId, SessionKey, TurnId
from instar.core.model.message import Outbound
from instar.core.model.session import Session

__all__ = [
    "DecisionPage",
    "DecisionQuery",
    "DeliveryRow",
    "EntryPage",
    "Recovered",
    "SearchHit",
    "SearchPage",
    "SearchQuery",
    "SessionPage",
    "SessionQuery",
    "SpendingQuery",
    "SpendingSum",
    "StoredEntry",
    "UsageRow",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionQuery:
    """A list of sessions, pinned ones first, then newest `updated_at` first (RPC-32).

    `limit` None lists all. `owner_in` restricts to sessions of these principals or groups they are in; None is no
    restriction (LEAK-4). `incognito` lists those in memory too, in front of the others, but never under a restriction
    (KEY-22).
    """

    agent_id: AgentId | None = None
    updated_since: Instant | None = None
    search: str | None = None
    label: str | None = None
    spawned_by: SessionKey | None = None
    archived: bool | None = False
    include_global: bool = False
    include_unknown: bool = False
    offset: int = 0
    limit: int | None = 100
    owner_in: tuple[str, ...] | None = None
    incognito: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPage:
    """One page and the number of sessions that match without the limit."""

    sessions: tuple[Session, ...]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEntry:
    """An entry with its place in the transcript and the estimate of its tokens."""

    seq: int
    entry: AnyEntry
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPage:
    """Entries of the active branch in order. `has_more` says that older ones exist."""

    head: TranscriptHead
    entries: tuple[StoredEntry, ...]
    has_more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """A reply as the outbox holds it. `hand_outs` counts how often it was handed to the channel."""

    outbound: Outbound
    session_key: SessionKey
    turn_id: TurnId | None
    state: str
    hand_outs: int
    created_at: Instant
    next_at: Instant | None = None
    ended_at: Instant | None = None
    platform_id: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """A sum over the ledger."""

    agent_id: AgentId
    provider: str
    model: str
    calls: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cost_usd: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingQuery:
    """Which lines of the ledger count: since a moment, before another (None: until now), and each given field.

    `session_id` is one life of `session_key`: its lines count whatever their time, and `since` is only for lines that
    name no life, as older builds booked them. `after_line` leaves out the lines up to that one. `person`, `provider`
    and `model` are in lower case; `key_prefix` is the beginning of a session key.
    """

    since: Instant
    until: Instant | None = None
    session_key: SessionKey | None = None
    session_id: SessionId | None = None
    after_line: int = 0
    agent: str | None = None
    person: str | None = None
    channel: str | None = None
    provider: str | None = None
    model: str | None = None
    key_prefix: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingSum:
    """US dollars that lines of the ledger add up to, and the newest line that there was then, 0 without any."""

    usd: float
    last_line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionQuery:
    """Which decisions, newest first. Each given field restricts."""

    session_key: SessionKey | None = None
    inbound_id: InboundId | None = None
    turn_id: TurnId | None = None
    kind: str | None = None
    since: Instant | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """Messages in which all words of `text` occur, newest first (SEARCH-1, SEARCH-2).

    `owner_in` restricts as in `SessionQuery`, `key_in` to these sessions; both hold before the limit (SEARCH-5).
    """

    text: str
    agent_id: AgentId | None = None
    owner_in: tuple[str, ...] | None = None
    key_in: tuple[SessionKey, ...] | None = None
    limit: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    """A message that was found. `text` is what lies around the words, not yet redacted; `at` None if unknown."""

    session_key: SessionKey
    session_id: SessionId
    entry_id: EntryId
    seq: int
    role: str
    at: Instant | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage:
    """What was found. `indexing` says that old messages are not all in the index yet (SEARCH-6).

    `encrypted` says that no message was looked at, since their words are stored encrypted.
    """

    hits: tuple[SearchHit, ...] = ()
    indexing: bool = False
    encrypted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What a start found (LOSS-4): the new fence, the turns that were cut off, and what waits.

    `running` holds the inbox items of interrupted turns, `waiting` those whose lane had not come to them, both in
    arrival order. `unknown` are deliveries that died between send and receipt (LOSS-5). `left_out` are messages that
    fell to a full queue and of which the agent is still to be told (QUEUE-13).
    """

    fence: int
    running: tuple[InboxItem, ...] = ()
    waiting: tuple[InboxItem, ...] = ()
    unknown: tuple[DeliveryId, ...] = ()
    left_out: tuple[InboxItem, ...] = ()


DecisionPage = tuple[RecordedDecision, ...]
"""Decisions, newest first."""
