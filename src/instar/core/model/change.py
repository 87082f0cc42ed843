"""What one transaction writes: the shape shared by every decision about a session and by the store.

A session is never written directly. A decision looks at `SessionFacts` and answers with a `SessionChange`; the
store carries the change out in the same transaction in which it read the facts, and refuses all of it or none.
Begin, append, finish, reset, patch, inject and create are all such changes, so there is one way for words to get
into a session and one place that keeps the invariants (LOSS-3, WHY-1).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from instar.core.model.decision import Decision
from instar.core.model.entry import AnyEntry, Header
from instar.core.model.ids import (
    AgentId,
    ChannelName,
    DeliveryId,
    EntryId,
    InboundId,
    Instant,
    SessionId,
    SessionKey,
    TurnId,
)
from instar.core.model.message import Inbound, Target
from instar.core.model.pairing import PairingCode, PairingFacts
from instar.core.model.session import Session
from instar.core.model.state import StateNote, WaitingNotice

__all__ = [
    "AcceptFacts",
    "AcceptStatus",
    "Acceptance",
    "Acknowledgement",
    "Changed",
    "CloseReason",
    "DeliveryState",
    "InboxChange",
    "InboxItem",
    "InboxState",
    "Ledger",
    "NewDelivery",
    "Noted",
    "SessionChange",
    "SessionFacts",
    "Submission",
    "TranscriptHead",
    "TurnOptions",
]

CloseReason = Literal["reset", "new", "daily", "idle", "resume", "delete", "cron"]
"""Why a transcript was closed (LOSS-6)."""

InboxState = Literal["waiting", "running", "answered", "merged", "observed", "command", "refused", "expired"]
"""Where a message is: `waiting` for its lane, `running` in a turn, or ended in one of the other ways (LOSS-2)."""

AcceptStatus = Literal["accepted", "observed", "refused"]
"""What the sender is told at once (LOSS-1)."""

DeliveryState = Literal["pending", "sending", "sent", "suppressed", "failed", "unknown", "dropped"]
"""Where a reply is (LOSS-5). `dropped` is a person's decision about an `unknown` one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnOptions:
    """What a caller asks of the one turn that answers its message.

    `deliver` sends the reply to the session's channel as well as to clients that listen. `thinking`, `model`,
    `verbose`, `reasoning`, `usage` and `elevated` hold for this turn only; None leaves it to the session. `timeout_ms`
    None means the configured limit.
    """

    deliver: bool = False
    thinking: str | None = None
    model: str | None = None
    timeout_ms: int | None = None
    queue_mode: str | None = None
    system: bool = False
    """True for input that no person wrote (cron, hooks, announcements): it is no interaction (RESET-20)."""
    is_run: bool = False
    """True for a run whose caller takes the answer itself (`agent`): without `deliver` it sends nothing, and a session
    that may not send takes it (SEND-11)."""
    verbose: str | None = None
    reasoning: str | None = None
    usage: str | None = None
    elevated: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A message at the door: what arrived, and what its source may add.

    `session_key` is set only by sources that speak of sessions (RPC, cron, hooks), already canonical; None lets
    routing choose. `principal` is who is answerable for it: a token's principal, or None for a channel's sender.
    `may_command` says that the source has already proved the right to give commands (an operator client).
    """

    inbound: Inbound
    session_key: SessionKey | None = None
    principal: str | None = None
    may_command: bool = False
    is_owner: bool = False
    options: TurnOptions = TurnOptions()
    run_id: TurnId | None = None
    """The turn id that the caller wants to see (RPC: its idempotency key); None draws one."""

    shown_session_id: str | None = None
    """The session id that a client was showing when it sent; keeps a stale session for this message (RESET-28)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A decision with the message, turn and actor that it is about."""

    decision: Decision
    inbound_id: InboundId | None = None
    turn_id: TurnId | None = None
    who: str = "gateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptFacts:
    """What the store knows when a message is at the door. `session` is None before the first message of its key.

    `pairing` is what was asked for with the message, nothing for one whose sender needs no approval. `answers_agent`
    says that the message answers one that was sent for the agent in the same chat (ACT-4).
    """

    inbound_id: InboundId
    now: Instant
    session: Session | None = None
    pairing: PairingFacts = field(default_factory=PairingFacts)
    answers_agent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """The decision at the door: what becomes of a message, in which session, and why.

    `reason` is a code for refused messages, `hint` the setting that would admit the sender. `deliveries` are sentences
    owed to the sender of a refused message under the sender's own place, and `code` the pairing code that they tell
    (LEAK-2); usually there is none. `authorised` and `is_owner` hold for commands (CMD-4, CMD-35). `owner` is the
    principal a new session would belong to, and `member` the sender who is in the group from now on (LEAK-4).
    """

    status: AcceptStatus
    session_key: SessionKey
    agent_id: AgentId
    reason: str | None = None
    hint: str = ""
    deliveries: tuple[NewDelivery, ...] = ()
    code: PairingCode | None = None
    authorised: bool = False
    is_owner: bool = False
    owner: str | None = None
    decisions: tuple[Decision, ...] = ()
    member: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """What the sender is told, the same for the same message for ever (LOSS-1).

    `hint` says which setting would admit a refused sender. `repeated` is True when the message was known already; it
    is not part of what is told.
    """

    inbound_id: InboundId
    status: AcceptStatus
    session_key: SessionKey
    reason: str | None = None
    hint: str = ""
    turn_id: TurnId | None = None
    repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxItem:
    """An accepted message as it waits for its lane, in arrival order by `seq`.

    `turn_id` is the turn that runs or ran it; for one that waits, the id its turn must take (the caller's run id).
    `reason` says why it ended as it did, where there is more to say.
    """

    inbound_id: InboundId
    seq: int
    submission: Submission
    acceptance: Acceptance
    received_at: Instant
    state: InboxState = "waiting"
    turn_id: TurnId | None = None
    reason: str | None = None
    ended_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxChange:
    """A message's next state. `turn_id` is the turn it runs in, was answered by, or was merged into.

    `left_out` says that the agent is to be told of it with the next turn, unless it was already (QUEUE-13).
    """

    inbound_id: InboundId
    state: InboxState
    turn_id: TurnId | None = None
    reason: str | None = None
    left_out: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDelivery:
    """A reply that is owed (LOSS-5). `state` is `suppressed` when the send policy or a silent token keeps it back."""

    delivery_id: DeliveryId
    target: Target
    text: str
    turn_id: TurnId | None = None
    state: DeliveryState = "pending"
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """One line of the usage ledger: what a model call took and cost, US dollars (LOSS-11, COST-1).

    `principal` is the person it is booked to, `channel` where that person wrote; None where nobody's message asked.
    """

    turn_id: TurnId | None
    agent_id: AgentId
    provider: str
    model: str
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float | None = None
    principal: str | None = None
    channel: ChannelName | None = None
    purpose: str = "turn"


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptHead:
    """A transcript without its entries.

    `next_seq` numbers the next entry (from 1). `is_linear` is True while each entry hangs on the one before it, so
    that the active branch is the whole transcript. `context_seq` is the first entry the model still sees: the kept
    part of the newest compaction, 1 without one. `bytes` counts the lines of the mirror file.
    """

    session_id: SessionId
    key: SessionKey
    header: Header
    began_at: Instant
    leaf_id: EntryId | None = None
    next_seq: int = 1
    message_count: int = 0
    bytes: int = 0
    is_linear: bool = True
    context_seq: int = 1
    closed_at: Instant | None = None
    close_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """What a decision may look at: the session and its current transcript, None where there is none yet.

    `notices` wait to be told to the session at the begin of its next turn; they are known inside a change only.
    `spent_usd` answers what a change asks the ledger, in the order of its questions; it is empty outside of one.
    """

    key: SessionKey
    now: Instant
    session: Session | None = None
    transcript: TranscriptHead | None = None
    notices: tuple[WaitingNotice, ...] = ()
    spent_usd: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionChange:
    """What one transaction writes about one session; an empty field writes nothing.

    The order is: close the current transcript, open the new one (one of a known id is current again, LOSS-6), write the
    session row, append the entries, move the inbox items, add deliveries, ledger lines and decisions. `entries` hang
    on each other through their `parent_id`. `forked` are lines of another session that the new transcript begins with
    (TRANS-17); they are written when it is opened, whoever holds the `entries`.
    `leaf_id` moves the leaf without an entry (a branch move); None leaves it at the last entry appended.
    With `held_by` the entries wait under that run instead (QUEUE-9); `place` is a run whose waiting entries take their
    place now, before `entries`, all of them as one chain below the leaf.
    `shown` are messages that fell to a full queue and of which nobody is to be told any more (QUEUE-13).
    `told` are notices that a turn begins with, `states` what other sessions may hear of it. These two may fail without
    failing the rest (STATE-9).
    """

    session: Session | None = None
    close: CloseReason | None = None
    open: Header | None = None
    forked: tuple[AnyEntry, ...] = ()
    entries: tuple[AnyEntry, ...] = ()
    leaf_id: EntryId | None = None
    inbox: tuple[InboxChange, ...] = ()
    deliveries: tuple[NewDelivery, ...] = ()
    ledger: tuple[Ledger, ...] = ()
    decisions: tuple[Noted, ...] = ()
    held_by: TurnId | None = None
    place: TurnId | None = None
    shown: tuple[InboundId, ...] = ()
    told: tuple[WaitingNotice, ...] = ()
    states: tuple[StateNote, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What a transaction left behind: the session and the head of its transcript afterwards.

    The entries of `change` are those that were written, with the ones that a run had held.
    """

    session: Session | None
    transcript: TranscriptHead | None
    change: SessionChange
