"""Sessions that are never written to a disk, beside those that are (KEY-22).

What belongs here: which of two stores a verb goes to. Both are the same store with the same transactions; one has its
rows on the disk, the other in the memory of this process. What does not: what a caller may ask of such a session
(`instar.core.routing.reserved`, `instar.gateway.incognito`).

The invariant: what is of a session whose key says so goes to memory and nowhere else, and what asks about all sessions
asks the disk and finds none of them. So the mirror, the search, maintenance, backups, exports and erasures, which
follow or read the disk's own store, need to know nothing of this. A verb that names no session (a transcript by its id,
a message by its turn) looks in memory first and then on the disk; ids are drawn and never in both.

One thing is written on the disk: what the models cost, since budgets hold for a day or a month and outlive the process
(COST-2). A line of the ledger has no words; it loses the run's id, which a client chose, and the session's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

import structlog

from instar.core.model.change import (
    Acceptance,
    AcceptFacts,
    Acknowledgement,
    Changed,
    DeliveryState,
    InboxItem,
    Ledger,
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
from instar.core.routing.grammar import is_incognito_key
from instar.core.routing.reserved import check_storable, hide_incognito_id
from instar.errors import NotFound, StoreError
from instar.ports.devices import DeviceStore
from instar.ports.store import Store
from instar.ports.tokens import TokenStore
from instar.stores.incognito_sides import OwnersOfBoth, StatesOfBoth

__all__ = ["StoreWithIncognito"]

T = TypeVar("T")

_UNBOOKED_MAX: Final = 10_000
"""Lines of the ledger that wait while the disk takes none; the oldest go first."""

log = structlog.get_logger(__name__)


class StoreWithIncognito:
    """Keeps `instar.ports.store.Store`, which tells what each method means. One life of a gateway has one of these.

    `disk` is opened and closed here. `open_memory` makes a store in memory; the first session that wants one begins it.
    """

    def __init__(self, disk: Store, open_memory: Callable[[], Store]) -> None:
        self._disk = disk
        self._memory = open_memory()
        self._is_begun = False
        self._unbooked: list[tuple[SessionKey, Ledger, Instant]] = []
        self.owners = OwnersOfBoth(disk, self.of)
        self.states = StatesOfBoth(disk, self.of)

    @property
    def tokens(self) -> TokenStore:
        """Credentials."""
        return self._disk.tokens

    @property
    def devices(self) -> DeviceStore:
        """Devices."""
        return self._disk.devices

    async def of(self, key: SessionKey) -> Store:
        """The store of a session; the one in memory is made when it is first asked for."""
        if not is_incognito_key(key):
            return self._disk
        if not self._is_begun:
            await self._memory.open()
            self._is_begun = True
        return self._memory

    async def _ask_both(self, ask: Callable[[Store], Awaitable[T]]) -> T:
        """What memory answers, or the disk where memory answers nothing. Raises `NotFound` where neither knows it."""
        if self._is_begun:
            try:
                if answer := await ask(self._memory):
                    return answer
            except NotFound:
                pass
        return await ask(self._disk)

    # --- life ---------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Open the disk's store; memory is empty."""
        await self._disk.open()

    async def close(self) -> None:
        """Close both; what was in memory is gone."""
        if self._is_begun:
            await self._memory.close()
        await self._disk.close()

    async def recover(self, now: Instant) -> Recovered:
        """Take over what the disk holds: nothing of a former life is in memory."""
        return await self._disk.recover(now)

    # --- transactions -------------------------------------------------------------------------------------------------

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
        """Commit a message where its session is; one that the other store knows gets that one's answer again."""
        store = await self.of(key)
        inbound = submission.inbound
        if self._is_begun:
            other = self._memory if store is self._disk else self._disk
            known = await other.find_message(
                channel=inbound.channel, account_id=inbound.account_id, message_id=inbound.message_id
            )
            store = store if known is None else other
        return await store.accept(submission, inbound_id=inbound_id, now=now, key=key, decide=decide, pairing=pairing)

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
        """Change one session; in memory, which no other gateway reaches, without the fence."""
        store = await self.of(key)
        if store is self._disk:
            return await store.change(name, key, now=now, fence=fence, decide=decide, spending=spending)
        spent = tuple([(await self.sum_spending(query)).usd for query in spending])

        def decide_knowing(facts: SessionFacts) -> SessionChange:
            return decide(replace(facts, spent_usd=spent))

        changed = await store.change(name, key, now=now, fence=None, decide=decide_knowing)
        await self._book(key, changed.change.ledger, now=now)
        return changed

    async def _book(self, key: SessionKey, ledger: Sequence[Ledger], *, now: Instant) -> None:
        """Put what was spent on the disk; what it takes not now it is given with the next."""
        place = hide_incognito_id(key)
        self._unbooked += [(place, replace(line, turn_id=None), now) for line in ledger]
        del self._unbooked[:-_UNBOOKED_MAX]
        while self._unbooked:
            # Taken out first: two turns that end at once must not book one line twice.
            owed = self._unbooked.pop(0)
            try:
                await self._disk.change(
                    "book_spending", owed[0], now=owed[2], fence=None, decide=partial(_book, owed[1])
                )
            except StoreError as error:
                self._unbooked.insert(0, owed)
                log.warning("incognito_spending_late", lines=len(self._unbooked), error=str(error))
                return

    async def delete_session(
        self, key: SessionKey, *, now: Instant, decisions: Sequence[Decision], keep_transcripts: bool = False
    ) -> bool:
        """Remove a session and its transcripts."""
        store = await self.of(key)
        return await store.delete_session(key, now=now, decisions=decisions, keep_transcripts=keep_transcripts)

    async def import_transcript(
        self, session: Session, header: Header, entries: Sequence[AnyEntry], *, now: Instant, decision: Decision
    ) -> bool:
        """Store a foreign transcript, on the disk. Raises `InvalidRequest` for a key of memory."""
        check_storable(session.key)
        return await self._disk.import_transcript(session, header, entries, now=now, decision=decision)

    async def claim_deliveries(
        self, channel: ChannelName, *, limit: int, now: Instant, again: bool
    ) -> tuple[Outbound, ...]:
        """Hand out replies that are due, those in memory first."""
        own: tuple[Outbound, ...] = ()
        if self._is_begun:
            own = await self._memory.claim_deliveries(channel, limit=limit, now=now, again=again)
        if len(own) >= limit:
            return own
        return (*own, *await self._disk.claim_deliveries(channel, limit=limit - len(own), now=now, again=again))

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
        """Record what became of a reply."""
        return await self._ask_both(
            lambda store: store.settle_delivery(
                delivery_id,
                channel=channel,
                state=state,
                now=now,
                platform_id=platform_id,
                reason=reason,
                next_at=next_at,
                decision=decision,
            )
        )

    async def redo_delivery(
        self,
        delivery_id: DeliveryId,
        *,
        now: Instant,
        decide: Callable[[DeliveryRow], tuple[DeliveryState, Decision]],
    ) -> DeliveryRow | None:
        """Carry out what a person decides about a reply."""
        return await self._ask_both(lambda store: store.redo_delivery(delivery_id, now=now, decide=decide))

    async def change_pairings(
        self, *, now: Instant, decide: Callable[[Pairings], PairingChange | None]
    ) -> PairingChange | None:
        """Carry out the owner's word about who may write."""
        return await self._disk.change_pairings(now=now, decide=decide)

    # --- questions about one session ----------------------------------------------------------------------------------

    async def load_session(self, key: SessionKey) -> Session | None:
        """The session of a key."""
        return await (await self.of(key)).load_session(key)

    async def load_facts(self, key: SessionKey, now: Instant) -> SessionFacts:
        """The session of a key and the head of its transcript."""
        return await (await self.of(key)).load_facts(key, now)

    async def load_transcripts(self, key: SessionKey) -> tuple[TranscriptHead, ...]:
        """Every transcript of a key."""
        return await (await self.of(key)).load_transcripts(key)

    async def load_entries(
        self,
        session_id: SessionId,
        *,
        limit: int | None = None,
        before_seq: int | None = None,
        messages_only: bool = False,
    ) -> EntryPage:
        """The newest entries of the active branch."""
        return await self._ask_both(
            lambda store: store.load_entries(
                session_id, limit=limit, before_seq=before_seq, messages_only=messages_only
            )
        )

    async def load_held(self, turn_id: TurnId) -> tuple[AnyEntry, ...]:
        """The lines of a run that are not in the transcript yet."""
        return await self._ask_both(lambda store: store.load_held(turn_id))

    async def load_context(self, session_id: SessionId) -> EntryPage:
        """The entries the model still sees."""
        return await self._ask_both(lambda store: store.load_context(session_id))

    async def load_all_entries(self, session_id: SessionId) -> EntryPage:
        """Every entry of every branch."""
        return await self._ask_both(lambda store: store.load_all_entries(session_id))

    async def load_inbox(
        self,
        *,
        inbound_ids: Sequence[InboundId] = (),
        turn_id: TurnId | None = None,
        session_key: SessionKey | None = None,
        message_id: str | None = None,
        limit: int = 100,
    ) -> tuple[InboxItem, ...]:
        """Messages by id, by turn or by session; those of one turn are of one session."""
        if session_key is not None:
            return await (await self.of(session_key)).load_inbox(
                inbound_ids=inbound_ids, turn_id=turn_id, session_key=session_key, limit=limit
            )
        return await self._ask_both(
            lambda store: store.load_inbox(inbound_ids=inbound_ids, turn_id=turn_id, message_id=message_id, limit=limit)
        )

    async def load_open_keys(self) -> frozenset[SessionKey]:
        """The sessions with messages that have not ended, wherever they are."""
        on_disk = await self._disk.load_open_keys()
        return on_disk | await self._memory.load_open_keys() if self._is_begun else on_disk

    async def find_message(self, *, channel: ChannelName, account_id: AccountId, message_id: str) -> InboxItem | None:
        """The message that its source calls so."""
        return await self._ask_both(
            lambda store: store.find_message(channel=channel, account_id=account_id, message_id=message_id)
        )

    async def load_observed(
        self, key: SessionKey, *, after_seq: int, before_seq: int, limit: int
    ) -> tuple[InboxItem, ...]:
        """Group context that no turn was shown."""
        store = await self.of(key)
        return await store.load_observed(key, after_seq=after_seq, before_seq=before_seq, limit=limit)

    async def load_decisions(self, query: DecisionQuery) -> DecisionPage:
        """Decisions, of a session, a message or a turn wherever they are; of all sessions those on the disk."""
        if query.session_key is not None:
            return await (await self.of(query.session_key)).load_decisions(query)
        if query.inbound_id is None and query.turn_id is None:
            return await self._disk.load_decisions(query)
        return await self._ask_both(lambda store: store.load_decisions(query))

    async def load_deliveries(
        self, *, session_key: SessionKey | None = None, state: DeliveryState | None = None, limit: int = 100
    ) -> tuple[DeliveryRow, ...]:
        """Replies, of a session wherever it is; of all sessions those on the disk."""
        store = self._disk if session_key is None else await self.of(session_key)
        return await store.load_deliveries(session_key=session_key, state=state, limit=limit)

    async def due_channels(self) -> tuple[tuple[ChannelName, Instant], ...]:
        """Channels that owe replies, with the moment the first of them is due."""
        due = dict(await self._disk.due_channels())
        for channel, at in await self._memory.due_channels() if self._is_begun else ():
            due[channel] = min(at, due.get(channel, at))
        return tuple(due.items())

    # --- questions about all of them ----------------------------------------------------------------------------------

    async def find_sessions(
        self, *, session_id_prefix: str | None = None, label: str | None = None, owner_in: Sequence[str] | None = None
    ) -> tuple[Session, ...]:
        """Sessions by the beginning of a session id, or by label; those in memory for whoever sees everything."""
        found = await self._disk.find_sessions(session_id_prefix=session_id_prefix, label=label, owner_in=owner_in)
        if owner_in is not None or not self._is_begun:
            return found
        return (*await self._memory.find_sessions(session_id_prefix=session_id_prefix, label=label), *found)

    async def list_sessions(self, query: SessionQuery) -> SessionPage:
        """One page of sessions. Those in memory are listed where they are asked for, and stand in front."""
        if not query.incognito or query.owner_in is not None or not self._is_begun:
            return await self._disk.list_sessions(query)
        own = await self._memory.list_sessions(query)
        past = min(query.offset, own.total)
        left = None if query.limit is None else query.limit - len(own.sessions)
        # At least one row is asked for, since the number of all is needed in any case.
        stored = await self._disk.list_sessions(
            replace(query, offset=query.offset - past, limit=None if left is None else max(left, 1))
        )
        shown = stored.sessions if left is None else stored.sessions[:left]
        return SessionPage(sessions=(*own.sessions, *shown), total=own.total + stored.total)

    async def search(self, query: SearchQuery) -> SearchPage:
        """Messages on the disk in which all words of a query occur."""
        return await self._disk.search(query)

    async def load_pairings(self) -> Pairings:
        """Approvals, and codes that are kept."""
        return await self._disk.load_pairings()

    async def find_erased_at(self, ids: Sequence[str]) -> Instant | None:
        """When the last of some ids was erased."""
        return await self._disk.find_erased_at(ids)

    async def sum_spending(self, query: SpendingQuery) -> SpendingSum:
        """US dollars that the ledger holds for a budget; the disk's has a line for every call."""
        store = self._disk if query.session_key is None else await self.of(query.session_key)
        return await store.sum_spending(query)

    async def sum_usage(
        self,
        *,
        session_key: SessionKey | None = None,
        since: Instant | None = None,
        owner_in: Sequence[str] | None = None,
    ) -> tuple[UsageRow, ...]:
        """Sums over the ledger."""
        store = self._disk if session_key is None else await self.of(session_key)
        return await store.sum_usage(session_key=session_key, since=since, owner_in=owner_in)

    async def load_arrivals(self, *, since: Instant, limit: int) -> tuple[InboxItem, ...]:
        """The messages of all stored sessions since a moment."""
        return await self._disk.load_arrivals(since=since, limit=limit)

    async def load_turn_outputs(self, since: Instant) -> Mapping[TurnId, int]:
        """The tokens that models wrote in each turn of stored sessions since a moment."""
        return await self._disk.load_turn_outputs(since)

    async def give_back(self) -> int:
        """Return room that deletions have freed to the disk."""
        return await self._disk.give_back()

    async def describe(self) -> dict[str, object]:
        """Facts for `status`, of the disk's store."""
        return await self._disk.describe()


def _book(line: Ledger, _facts: SessionFacts) -> SessionChange:
    return SessionChange(ledger=(line,))
