"""The session store: one authority over every row (STORE-1).

Writes are few and each is one transaction. What a transaction writes is decided by a pure function that the caller
passes in: the store loads the facts, asks it, and carries out the answer, all under one commit (design, section 3).
A `decide` function therefore runs in the store's writer thread: it must be fast, must not await, and may be called
again if the commit has to be repeated.

Every method may raise `StoreFull`, `StoreReadOnly` or `StoreUnreadable`; then nothing of it was stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from instar.core.model.change import (
    Acceptance,
    AcceptFacts,
    Acknowledgement,
    Changed,
    DeliveryState,
    InboxItem,
    SessionChange,
    SessionFacts,
    Submission,
    TranscriptHead,
)
from instar.core.model.decision import Decision
from instar.core.model.entry import AnyEntry, Header
from instar.core.model.ids import AccountId, ChannelName, DeliveryId, InboundId, Instant, SessionId, SessionKey, TurnId
from instar.core.model.message import Outbound
from instar.core.model.pairing import Pairings, Peer
from instar.core.model.pairing_change import PairingChange
from instar.core.model.query import (
    DecisionPage,
    DecisionQuery,
    DeliveryRow,
    EntryPage,
    Recovered,
    SearchPage,
    SearchQuery,
    SessionPage,
    SessionQuery,
    SpendingQuery,
    SpendingSum,
    UsageRow,
)
from instar.core.model.session import Session
from instar.ports.devices import DeviceStore
from instar.ports.owners import OwnerStore
from instar.ports.states import StateStore
from instar.ports.tokens import TokenStore

__all__ = ["Store"]


class Store(Protocol):
    """The verbs of the store, one per transaction or question."""

    @property
    def owners(self) -> OwnerStore:
        """Whose sessions are, and who is in which group (LEAK-4)."""
        ...

    @property
    def tokens(self) -> TokenStore:
        """Credentials beside the gateway's own secret (LEAK-3)."""
        ...

    @property
    def states(self) -> StateStore:
        """What sessions are told of changes in others (STATE-1…9)."""
        ...

    @property
    def devices(self) -> DeviceStore:
        """Programs on other machines that have a key of their own (LEAK-3)."""
        ...

    # --- life -----------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Open and migrate. Raises `StoreLocked`, `StoreTooNew`, `StoreUnreadable`."""
        ...

    async def close(self) -> None:
        """Finish what is queued, then close. May be called twice."""
        ...

    async def recover(self, now: Instant) -> Recovered:
        """Take over after a start: a new fence, interrupted work, deliveries whose fate is unknown (LOSS-4, LOSS-5)."""
        ...

    # --- transactions ---------------------------------------------------------------------------------------------

    async def accept(
        self,
        submission: Submission,
        *,
        inbound_id: InboundId,
        now: Instant,
        key: SessionKey,
        decide: Callable[[AcceptFacts], Acceptance],
        pairing: Peer | None = None,
    ) -> tuple[Acknowledgement, InboxItem | None]:
        """Commit a message at the door, or give the first acknowledgement again (LOSS-1).

        `key` is the session the facts are loaded for, `pairing` whose approval they tell. The item is None for a
        repeated message and for one that needs no lane (refused, observed).
        """
        ...

    async def change(
        self,
        name: str,
        key: SessionKey,
        *,
        now: Instant,
        fence: int | None,
        decide: Callable[[SessionFacts], SessionChange],
        spending: Sequence[SpendingQuery] = (),
    ) -> Changed:
        """Change one session in one transaction; `name` is the transaction's name in logs.

        `fence` is that of the lane that writes, None for writes that need no lane (a patch). `spending` is asked of the
        ledger in the same transaction, for the decision to know (COST-2). Raises `FenceLost`.
        """
        ...

    async def delete_session(
        self, key: SessionKey, *, now: Instant, decisions: Sequence[Decision], keep_transcripts: bool = False
    ) -> bool:
        """Remove a session and its transcripts (already archived by the caller); False when there is none."""
        ...

    async def import_transcript(
        self, session: Session, header: Header, entries: Sequence[AnyEntry], *, now: Instant, decision: Decision
    ) -> bool:
        """Store a foreign transcript as the current one of a new session, or as a closed one of an existing session.

        False when a transcript of this session id is stored already: importing twice adds nothing (STORE-6).
        """
        ...

    async def claim_deliveries(
        self, channel: ChannelName, *, limit: int, now: Instant, again: bool
    ) -> tuple[Outbound, ...]:
        """Hand out replies that are due, oldest first: `pending` becomes `sending`.

        With `again` those in `sending` are handed out once more, for channels that fetch and tell repeats.
        """
        ...

    async def settle_delivery(
        self,
        delivery_id: DeliveryId,
        *,
        channel: ChannelName,
        state: DeliveryState,
        now: Instant,
        platform_id: str | None = None,
        reason: str | None = None,
        next_at: Instant | None = None,
        decision: Decision | None = None,
    ) -> bool:
        """Record what became of a reply; False when the channel owes no such one. Settling twice changes nothing.

        `next_at` is when one that goes back to ``pending`` is due, None for at once.
        """
        ...

    async def redo_delivery(
        self,
        delivery_id: DeliveryId,
        *,
        now: Instant,
        decide: Callable[[DeliveryRow], tuple[DeliveryState, Decision]],
    ) -> DeliveryRow | None:
        """Carry out what a person decides about a reply, ended or not; the reply as it was, None if there is none.

        Whatever `decide` raises is raised, and nothing is changed.
        """
        ...

    async def change_pairings(
        self, *, now: Instant, decide: Callable[[Pairings], PairingChange | None]
    ) -> PairingChange | None:
        """Carry out the owner's word about who may write (LEAK-2); None changes nothing.

        Whatever `decide` raises is raised, and nothing is changed.
        """
        ...

    # --- questions ------------------------------------------------------------------------------------------------

    async def load_session(self, key: SessionKey) -> Session | None:
        """The session of a key."""
        ...

    async def load_facts(self, key: SessionKey, now: Instant) -> SessionFacts:
        """The session of a key and the head of its transcript."""
        ...

    async def find_sessions(
        self, *, session_id_prefix: str | None = None, label: str | None = None, owner_in: Sequence[str] | None = None
    ) -> tuple[Session, ...]:
        """Sessions whose current or closed transcript ids begin so, or that carry the label; at most 20.

        `owner_in` restricts as in `SessionQuery`.
        """
        ...

    async def list_sessions(self, query: SessionQuery) -> SessionPage:
        """One page of sessions."""
        ...

    async def load_transcripts(self, key: SessionKey) -> tuple[TranscriptHead, ...]:
        """Every transcript of a key, newest first; the current one is not closed."""
        ...

    async def load_entries(
        self,
        session_id: SessionId,
        *,
        limit: int | None = None,
        before_seq: int | None = None,
        messages_only: bool = False,
    ) -> EntryPage:
        """The newest entries of the active branch, in order; without a limit the whole branch.

        Raises `NotFound` for an unknown session id.
        """
        ...

    async def load_held(self, turn_id: TurnId) -> tuple[AnyEntry, ...]:
        """The lines of a run beside others that are not in the transcript yet, in order (QUEUE-9); for others none."""
        ...

    async def load_context(self, session_id: SessionId) -> EntryPage:
        """The entries the model still sees: from the kept part of the newest compaction on (TRANS-12)."""
        ...

    async def load_all_entries(self, session_id: SessionId) -> EntryPage:
        """Every entry of every branch, in the order they were written."""
        ...

    async def load_inbox(
        self,
        *,
        inbound_ids: Sequence[InboundId] = (),
        turn_id: TurnId | None = None,
        session_key: SessionKey | None = None,
        message_id: str | None = None,
        limit: int = 100,
    ) -> tuple[InboxItem, ...]:
        """Messages by id, by the turn that took them, of a session, or by what any source calls them; in arrival order
        (the newest `limit`).
        """
        ...

    async def load_open_keys(self) -> frozenset[SessionKey]:
        """The sessions with messages that have not ended: admitted work, whether a lane has it yet or not (MAINT-5)."""
        ...

    async def find_message(self, *, channel: ChannelName, account_id: AccountId, message_id: str) -> InboxItem | None:
        """The message that its source calls so, None if it never came (LOSS-1)."""
        ...

    async def load_observed(
        self, key: SessionKey, *, after_seq: int, before_seq: int, limit: int
    ) -> tuple[InboxItem, ...]:
        """Messages of a group that are kept as context and that no turn was shown, between two places in the order of
        arrival, in order; the newest `limit` (ACT-7).
        """
        ...

    async def load_decisions(self, query: DecisionQuery) -> DecisionPage:
        """Decisions, newest first."""
        ...

    async def load_pairings(self) -> Pairings:
        """Everybody whom the owner approved, and every code that is kept (LEAK-2)."""
        ...

    async def find_erased_at(self, ids: Sequence[str]) -> Instant | None:
        """When the last of some ids of people, keys or session ids was erased; None if none was (LEAK-11)."""
        ...

    async def load_deliveries(
        self, *, session_key: SessionKey | None = None, state: DeliveryState | None = None, limit: int = 100
    ) -> tuple[DeliveryRow, ...]:
        """Replies, newest first."""
        ...

    async def due_channels(self) -> tuple[tuple[ChannelName, Instant], ...]:
        """Channels that owe replies, with the moment the first of them is due; 0 for at once."""
        ...

    async def sum_spending(self, query: SpendingQuery) -> SpendingSum:
        """US dollars that the ledger holds for a budget (COST-2); calls without a price count nothing."""
        ...

    async def load_arrivals(self, *, since: Instant, limit: int) -> tuple[InboxItem, ...]:
        """The messages of all sessions that came since a moment, at most the newest `limit`, in arrival order."""
        ...

    async def load_turn_outputs(self, since: Instant) -> Mapping[TurnId, int]:
        """The tokens that models wrote in each turn since a moment."""
        ...

    async def search(self, query: SearchQuery) -> SearchPage:
        """Messages in which all words of a query occur, newest first (SEARCH-1…6).

        Every message that was committed before is found; `indexing` says that this does not hold for old ones yet.
        """
        ...

    async def sum_usage(
        self,
        *,
        session_key: SessionKey | None = None,
        since: Instant | None = None,
        owner_in: Sequence[str] | None = None,
    ) -> tuple[UsageRow, ...]:
        """Sums over the ledger by agent, provider and model. `owner_in` restricts as in `SessionQuery`."""
        ...

    async def give_back(self) -> int:
        """Return room that deletions have freed to the disk, piece by piece; how much, in bytes (MAINT-16)."""
        ...

    async def describe(self) -> dict[str, object]:
        """Facts for `status`: engine, path, schema version, counts."""
        ...
