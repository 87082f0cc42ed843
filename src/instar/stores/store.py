"""Every transaction and question of the store by name, over whichever engine runs it (`instar.ports.store.Store`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog

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
from instar.errors import StoreError
from instar.stores import change, decisions, inbox, outbox, recover, runs, search, sessions, transcripts, usage
from instar.stores import pairing as pairing_rows
from instar.stores.clearing import Clearing
from instar.stores.devices import DeviceRows
from instar.stores.erased import find_erased_at
from instar.stores.owners import OwnerRows
from instar.stores.search_index import SearchIndex
from instar.stores.staging import import_in_pieces
from instar.stores.states import StateRows
from instar.stores.tokens import TokenRows
from instar.stores.transaction import SHORT_ROWS, Engine, Touched, Transaction
from instar.stores.transcripts import WHOLE_ENTRIES

__all__ = ["SessionStore"]

log = structlog.get_logger(__name__)

_KEPT_PAGES: Final = 256
"""Free pages that stay in the file (a mebibyte): what is written next finds room without growing it again."""


class SessionStore:
    """The session store. Keeps `instar.ports.store.Store`, which tells what each method means."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.search_index = SearchIndex(engine)
        self.clearing = Clearing(engine)
        self.tokens = TokenRows(engine)
        self.devices = DeviceRows(engine)
        self.states = StateRows(engine)
        self.owners = OwnerRows(engine)

    @property
    def engine(self) -> Engine:
        """The engine below, for the mirror, backups and benchmarks."""
        return self._engine

    def on_commit(self, callback: Callable[[Touched], None]) -> None:
        """Call back after each commit with what it touched, in the thread that committed: be quick, raise nothing."""
        self._engine.on_commit(callback)

    # --- life ---------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Open and migrate."""
        await self._engine.open()
        self.search_index.restart()

    async def close(self) -> None:
        """Finish what is queued, then close."""
        await self._engine.close()

    async def recover(self, now: Instant) -> Recovered:
        """Take over after a start."""
        recovered = await self._engine.write(lambda tx: recover.recover(tx, now=now))
        if left := await self.clearing.recover():
            log.info("leftovers_found", transcripts=left)
        return recovered

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
        """Commit a message at the door, or give the first acknowledgement again."""
        return await self._engine.write(
            lambda tx: inbox.accept(
                tx, submission, inbound_id=inbound_id, now=now, key=key, decide=decide, pairing=pairing
            ),
            purpose="new",
        )

    async def change(
        self,
        name: str,  # noqa: ARG002 - part of the port: the name of the transaction, for engines that log
        key: SessionKey,
        *,
        now: Instant,
        fence: int | None,
        decide: Callable[[SessionFacts], SessionChange],
        spending: Sequence[SpendingQuery] = (),
    ) -> Changed:
        """Change one session in one transaction."""
        return await self._engine.write(
            lambda tx: change.change_session(tx, key, now=now, fence=fence, decide=decide, spending=spending),
        )

    async def delete_session(
        self, key: SessionKey, *, now: Instant, decisions: Sequence[Decision], keep_transcripts: bool = False
    ) -> bool:
        """Remove a session and its transcripts: at once for everybody; many lines are cleared away piece by piece."""
        hidden = await self._engine.write(
            lambda tx: change.delete_session(tx, key, now=now, decisions=decisions, keep_transcripts=keep_transcripts),
            purpose="freeing",
        )
        if hidden is None:
            return False
        await self.clearing.clear(hidden)
        return True

    async def import_transcript(
        self, session: Session, header: Header, entries: Sequence[AnyEntry], *, now: Instant, decision: Decision
    ) -> bool:
        """Store a foreign transcript, a long one in pieces."""
        if len(entries) > WHOLE_ENTRIES:
            return await import_in_pieces(self._engine, session, header, entries, now=now, decision=decision)
        return await self._engine.write(
            lambda tx: change.import_transcript(tx, session, header, entries, now=now, decision=decision),
            purpose="new",
        )

    async def claim_deliveries(
        self, channel: ChannelName, *, limit: int, now: Instant, again: bool
    ) -> tuple[Outbound, ...]:
        """Hand out replies that are due."""
        return await self._engine.write(
            lambda tx: outbox.claim_deliveries(tx, channel, limit=limit, now=now, again=again),
        )

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
        return await self._engine.write(
            lambda tx: outbox.settle_delivery(
                tx,
                delivery_id,
                channel=channel,
                state=state,
                now=now,
                platform_id=platform_id,
                reason=reason,
                next_at=next_at,
                decision=decision,
            ),
        )

    async def redo_delivery(
        self,
        delivery_id: DeliveryId,
        *,
        now: Instant,
        decide: Callable[[DeliveryRow], tuple[DeliveryState, Decision]],
    ) -> DeliveryRow | None:
        """Carry out what a person decides about a reply."""
        return await self._engine.write(lambda tx: outbox.redo_delivery(tx, delivery_id, now=now, decide=decide))

    async def change_pairings(
        self, *, now: Instant, decide: Callable[[Pairings], PairingChange | None]
    ) -> PairingChange | None:
        """Carry out the owner's word about who may write."""
        return await self._engine.write(lambda tx: pairing_rows.change_pairings(tx, now=now, decide=decide))

    # --- questions ----------------------------------------------------------------------------------------------------

    async def load_session(self, key: SessionKey) -> Session | None:
        """The session of a key."""
        return await self._engine.read(lambda tx: sessions.load_session(tx, key), is_short=True)

    async def load_facts(self, key: SessionKey, now: Instant) -> SessionFacts:
        """The session of a key and the head of its transcript."""
        return await self._engine.read(lambda tx: sessions.load_facts(tx, key, now=now)[0], is_short=True)

    async def find_sessions(
        self, *, session_id_prefix: str | None = None, label: str | None = None, owner_in: Sequence[str] | None = None
    ) -> tuple[Session, ...]:
        """Sessions by the beginning of a session id, or by label."""
        return await self._engine.read(
            lambda tx: sessions.find_sessions(tx, session_id_prefix=session_id_prefix, label=label, owner_in=owner_in),
            is_short=True,
        )

    async def list_sessions(self, query: SessionQuery) -> SessionPage:
        """One page of sessions."""
        return await self._engine.read(
            lambda tx: sessions.list_sessions(tx, query), is_short=_is_short(query.limit) and not query.search
        )

    async def load_transcripts(self, key: SessionKey) -> tuple[TranscriptHead, ...]:
        """Every transcript of a key, newest first."""
        return await self._engine.read(lambda tx: transcripts.load_transcripts(tx, key))

    async def load_entries(
        self,
        session_id: SessionId,
        *,
        limit: int | None = None,
        before_seq: int | None = None,
        messages_only: bool = False,
    ) -> EntryPage:
        """The newest entries of the active branch, in order."""
        return await self._engine.read(
            lambda tx: transcripts.load_entries(
                tx, session_id, limit=limit, before_seq=before_seq, messages_only=messages_only
            ),
            is_short=_is_short(limit),
        )

    async def load_held(self, turn_id: TurnId) -> tuple[AnyEntry, ...]:
        """The lines of a run that are not in the transcript yet."""
        return await self._engine.read(lambda tx: runs.load_held(tx, turn_id))

    async def load_context(self, session_id: SessionId) -> EntryPage:
        """The entries the model still sees."""
        return await self._engine.read(lambda tx: transcripts.load_context(tx, session_id))

    async def load_all_entries(self, session_id: SessionId) -> EntryPage:
        """Every entry of every branch."""
        return await self._engine.read(lambda tx: transcripts.load_all_entries(tx, session_id))

    async def load_inbox(
        self,
        *,
        inbound_ids: Sequence[InboundId] = (),
        turn_id: TurnId | None = None,
        session_key: SessionKey | None = None,
        message_id: str | None = None,
        limit: int = 100,
    ) -> tuple[InboxItem, ...]:
        """Messages by id, by turn or by session."""
        return await self._engine.read(
            lambda tx: inbox.load_inbox(
                tx,
                inbound_ids=inbound_ids,
                turn_id=turn_id,
                session_key=session_key,
                message_id=message_id,
                limit=limit,
            ),
            is_short=_is_short(limit),
        )

    async def load_open_keys(self) -> frozenset[SessionKey]:
        """The sessions with messages that have not ended."""
        return await self._engine.read(inbox.load_open_keys)

    async def find_message(self, *, channel: ChannelName, account_id: AccountId, message_id: str) -> InboxItem | None:
        """The message that its source calls so."""
        return await self._engine.read(
            lambda tx: inbox.find_message(tx, channel=channel, account_id=account_id, message_id=message_id),
            is_short=True,
        )

    async def load_observed(
        self, key: SessionKey, *, after_seq: int, before_seq: int, limit: int
    ) -> tuple[InboxItem, ...]:
        """Group context that no turn was shown."""
        return await self._engine.read(
            lambda tx: inbox.load_observed(tx, key, after_seq=after_seq, before_seq=before_seq, limit=limit),
            is_short=_is_short(limit),
        )

    async def load_decisions(self, query: DecisionQuery) -> DecisionPage:
        """Decisions, newest first."""
        return await self._engine.read(lambda tx: decisions.load_decisions(tx, query))

    async def load_pairings(self) -> Pairings:
        """Approvals, and codes that are kept."""
        return await self._engine.read(pairing_rows.load_pairings)

    async def find_erased_at(self, ids: Sequence[str]) -> Instant | None:
        """When the last of some ids was erased, None if none was."""
        return await self._engine.read(lambda tx: find_erased_at(tx, ids), is_short=True)

    async def load_deliveries(
        self, *, session_key: SessionKey | None = None, state: DeliveryState | None = None, limit: int = 100
    ) -> tuple[DeliveryRow, ...]:
        """Replies, newest first."""
        return await self._engine.read(
            lambda tx: outbox.load_deliveries(tx, session_key=session_key, state=state, limit=limit),
        )

    async def due_channels(self) -> tuple[tuple[ChannelName, Instant], ...]:
        """Channels that owe replies, with the moment the first of them is due."""
        return await self._engine.read(outbox.due_channels)

    async def sum_spending(self, query: SpendingQuery) -> SpendingSum:
        """US dollars that the ledger holds for a budget."""
        return await self._engine.read(lambda tx: usage.sum_spending(tx, query))

    async def load_arrivals(self, *, since: Instant, limit: int) -> tuple[InboxItem, ...]:
        """The messages of all sessions since a moment."""
        return await self._engine.read(lambda tx: inbox.load_arrivals(tx, since=since, limit=limit))

    async def load_turn_outputs(self, since: Instant) -> Mapping[TurnId, int]:
        """The tokens that models wrote in each turn since a moment."""
        return await self._engine.read(lambda tx: usage.sum_turn_outputs(tx, since=since))

    async def search(self, query: SearchQuery) -> SearchPage:
        """Messages in which all words of a query occur; what was written until now is indexed first."""
        if self.search_index.is_off:
            return SearchPage(encrypted=True)
        try:
            is_level = await self.search_index.catch_up()
        except StoreError as error:
            # A full disk keeps new words out of the index, but those that are in it can be found.
            log.warning("search_index_late", error=str(error))
            is_level = False
        hits = await self._engine.read(lambda tx: search.search_messages(tx, query))
        return SearchPage(hits=hits, indexing=not is_level)

    async def sum_usage(
        self,
        *,
        session_key: SessionKey | None = None,
        since: Instant | None = None,
        owner_in: Sequence[str] | None = None,
    ) -> tuple[UsageRow, ...]:
        """Sums over the ledger."""
        return await self._engine.read(
            lambda tx: usage.sum_usage(tx, session_key=session_key, since=since, owner_in=owner_in)
        )

    async def give_back(self) -> int:
        """Return room that deletions have freed to the disk."""
        given = 0
        while some := await self._engine.write(_give_back, purpose="freeing"):
            given += some
        return given

    async def describe(self) -> dict[str, object]:
        """Facts for `status`."""
        return self._engine.describe() | await self._engine.read(_count_rows)


def _is_short(limit: int | None) -> bool:
    """Whether a page has so few rows that it may be tried at once."""
    return limit is not None and limit <= SHORT_ROWS


def _give_back(tx: Transaction) -> int:
    """Cut free pages off the end of the file, as many as nobody has to wait long for; how many bytes that gave."""
    before = tx.one("count_free_pages", {})
    if before is None or before[0] <= _KEPT_PAGES:
        return 0
    tx.all("cut_free_pages", {})
    after = tx.one("count_free_pages", {})
    return 0 if after is None else (before[0] - after[0]) * int(before[1])


def _count_rows(tx: Transaction) -> dict[str, object]:
    """The schema's version and how many sessions there are."""
    version = tx.one("load_meta", {"name": "schema_version"})
    count = tx.one("sum_counts", {"agent_id": None, "archived": None, "include_global": 1, "include_unknown": 1})
    return {
        "schema": int(version[0]) if version is not None else 0,
        "sessions": count[0] if count is not None else 0,
    }
