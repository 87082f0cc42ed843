"""The store of a simulation: it can refuse for a while, and everything that it commits is told to the shadow."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TypeVar, cast

from instar.core.model.change import (
    Acceptance,
    AcceptFacts,
    Acknowledgement,
    Changed,
    InboxItem,
    SessionChange,
    SessionFacts,
    Submission,
)
from instar.core.model.decision import Decision
from instar.core.model.entry import AnyEntry, Header
from instar.core.model.ids import ChannelName, InboundId, Instant, SessionKey
from instar.core.model.message import Outbound
from instar.core.model.pairing import Pairings, Peer
from instar.core.model.pairing_change import PairingChange
from instar.core.model.query import Recovered, SpendingQuery
from instar.core.model.session import Session
from instar.errors import StoreFull
from instar.ports.clock import Clock
from instar.ports.store import Store
from instar.testing.simulate.shadow import Shadow

__all__ = ["WatchedStore", "read_now", "watch_store"]

T = TypeVar("T")


class WatchedStore:
    """A store with a shadow. Until `refuses_until_s` of the clock's stopwatch every write fails as on a full disk.

    Each commit is told to the shadow before anybody else can run: whoever asked for it may be cancelled meanwhile, and
    it counts all the same.
    """

    def __init__(self, inner: Store, shadow: Shadow, clock: Clock) -> None:
        self._inner = inner
        self._shadow = shadow
        self._clock = clock
        self.refuses_until_s = 0.0

    def __getattr__(self, name: str) -> Callable[..., Awaitable[object]]:
        """Questions, and what needs no shadow."""
        verb: Callable[..., Awaitable[object]] = getattr(self._inner, name)
        return verb

    def _check_disk(self) -> None:
        if self._clock.monotonic() < self.refuses_until_s:
            raise StoreFull("Nothing can be stored", why="the simulated disk is full", fix="Wait.")

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
        """Commit a message at the door."""
        self._check_disk()
        decided: list[Acceptance] = []

        def noted(facts: AcceptFacts) -> Acceptance:
            decided.append(decide(facts))
            return decided[-1]

        told, item = read_now(
            self._inner.accept(submission, inbound_id=inbound_id, now=now, key=key, decide=noted, pairing=pairing)
        )
        if not told.repeated:
            (stored,) = read_now(self._inner.load_inbox(inbound_ids=[inbound_id]))
            self._shadow.accepted(stored, decided[-1])
        await asyncio.sleep(0)
        return told, item

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
        """Change one session."""
        self._check_disk()
        asked = self._inner.change(name, key, now=now, fence=fence, decide=decide, spending=spending)
        changed = read_now(asked)
        self._shadow.changed(name, key, changed)
        await asyncio.sleep(0)
        return changed

    async def change_pairings(
        self, *, now: Instant, decide: Callable[[Pairings], PairingChange | None]
    ) -> PairingChange | None:
        """Carry out the owner's word."""
        self._check_disk()
        change = read_now(self._inner.change_pairings(now=now, decide=decide))
        if change is not None:
            self._shadow.paired(change)
        await asyncio.sleep(0)
        return change

    async def delete_session(
        self, key: SessionKey, *, now: Instant, decisions: Sequence[Decision], keep_transcripts: bool = False
    ) -> bool:
        """Remove a session."""
        self._check_disk()
        removed = read_now(
            self._inner.delete_session(key, now=now, decisions=decisions, keep_transcripts=keep_transcripts)
        )
        if removed:
            self._shadow.deleted_session(key, keep_transcripts=keep_transcripts)
        await asyncio.sleep(0)
        return removed

    async def import_transcript(
        self, session: Session, header: Header, entries: Sequence[AnyEntry], *, now: Instant, decision: Decision
    ) -> bool:
        """Bring a transcript back."""
        self._check_disk()
        stored = read_now(self._inner.import_transcript(session, header, entries, now=now, decision=decision))
        if stored:
            self._shadow.brought_back(session, header, entries)
        await asyncio.sleep(0)
        return stored

    async def claim_deliveries(
        self, channel: ChannelName, *, limit: int, now: Instant, again: bool
    ) -> tuple[Outbound, ...]:
        """Hand out replies."""
        self._check_disk()
        claimed = read_now(self._inner.claim_deliveries(channel, limit=limit, now=now, again=again))
        self._shadow.sending.update(outbound.delivery_id for outbound in claimed)
        await asyncio.sleep(0)
        return claimed

    async def settle_delivery(self, delivery_id: str, **columns: object) -> bool:
        """Record what became of a reply."""
        self._check_disk()
        settle = cast("Callable[..., Awaitable[bool]]", self._inner.settle_delivery)  # its columns pass unread
        done = read_now(settle(delivery_id, **columns))
        self._shadow.sending.discard(delivery_id)
        await asyncio.sleep(0)
        return done

    async def recover(self, now: Instant) -> Recovered:
        """Take over after a start."""
        self._check_disk()
        recovered = read_now(self._inner.recover(now))
        self._shadow.recovered(recovered)
        await asyncio.sleep(0)
        return recovered


def watch_store(inner: Store, shadow: Shadow, clock: Clock) -> tuple[WatchedStore, Store]:
    """The store with its shadow, and the same as the port that a gateway takes."""
    watched = WatchedStore(inner, shadow, clock)
    return watched, cast("Store", watched)  # it has the port's verbs, some by handing them through


def read_now(question: Coroutine[object, object, T] | Awaitable[T]) -> T:
    """The answer of a store in memory without letting any other task run: it only ever yields to be polite."""
    steps = cast("Coroutine[object, object, T]", question)  # the store's methods are coroutines
    while True:
        try:
            steps.send(None)
        except StopIteration as done:
            return cast("T", done.value)  # a coroutine's result
