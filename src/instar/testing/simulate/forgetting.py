"""People who asked to be forgotten: nothing of them is left, and everybody else's words are still there (LEAK-11).

The eraser is the real one over the rows and the files of the story. It runs beside the shadow, so once it is done,
before any door opens again, the shadow is held against the rows: what is gone was theirs, what was theirs is gone,
and the rest is as it was. From then on the shadow knows what the rows know.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from instar.config.config import Config
from instar.core.model.change import InboxItem, NewDelivery
from instar.core.model.entry import AnyEntry, MessageEntry, UserMessage
from instar.core.model.ids import InboundId, Instant, SessionKey, TurnId
from instar.core.model.people import ErasureReceipt, Person
from instar.core.transcript.text import message_text
from instar.stores.erasing.eraser import StoreEraser
from instar.stores.erasing.files import Places
from instar.stores.sqlite import MemoryEngine
from instar.stores.store import SessionStore
from instar.testing.fuse import Fuse
from instar.testing.ids import DrawnIds
from instar.testing.simulate.book import Book
from instar.testing.simulate.dice import Dice
from instar.testing.simulate.disk import Disk, DiskOfLife, FusedEngine
from instar.testing.simulate.findings import Findings
from instar.testing.simulate.model import find_marks
from instar.testing.simulate.shadow import Shadow
from instar.testing.simulate.story import Place, Setting, build_places, build_secret, owner_of
from instar.testing.simulate.strangers import Guest, name_guest
from instar.testing.simulate.watched import read_now

__all__ = ["Forgetting", "WatchedEraser"]

ALL = 1_000_000


@dataclass(slots=True, kw_only=True)
class _Wish:
    """Somebody who asks: every place that is theirs, and the messages and replies that were there when it began.

    `held` are the marks of all messages whose words stood anywhere by then, `through` is how many erasures were done.
    """

    places: tuple[Place, ...]
    known: frozenset[InboundId]
    owed: frozenset[str]
    held: frozenset[str]
    through: int

    def is_theirs(self, item: InboxItem) -> bool:
        """Whether they wrote a message."""
        inbound = item.submission.inbound
        return any((inbound.channel, inbound.sender.id) == (one.channel, one.sender_id) for one in self.places)

    def hears(self, delivery: NewDelivery) -> bool:
        """Whether a reply goes to a chat of theirs alone."""
        target = delivery.target
        return any((target.channel, target.to) == (one.channel, one.sender_id) for one in self.places)


@dataclass(slots=True, kw_only=True)
class Forgetting:
    """Everybody who asked so far. `turns` and `deliveries` went with them, and nothing is owed for those."""

    findings: Findings
    setting: Setting
    shadow: Shadow
    book: Book
    store: SessionStore
    engine: MemoryEngine
    disk: Disk
    dice: Dice
    turns: set[TurnId] = field(default_factory=set)
    deliveries: set[str] = field(default_factory=set)
    _wish: _Wish | None = None

    def name(self, place: Place) -> str:
        """The person of a place as an operator names them."""
        return place.person if place.person in self.setting.linked else f"{place.channel}:{place.sender_id}"

    def begin(self, person: Person) -> None:
        """Somebody is about to be erased."""
        ids = {(one.channel, one.peer_id) for one in person.ids}
        places = tuple(one for one in build_places(self.setting) if (one.channel, one.sender_id) in ids)
        # One that was cut goes on with what it had noted, also where that is gone from the rows by now.
        held = self._find_held() | (self._wish.held if self._wish is not None else frozenset())
        through = self._wish.through if self._wish is not None else self._count_through()
        known = frozenset(self.shadow.rows)
        self._wish = _Wish(places=places, known=known, owed=self._load_owed(), held=held, through=through)

    def _count_through(self) -> int:
        """How many erasures have their receipt: a process that dies right after that one can tell nobody."""
        connection = self.engine.connection
        if connection is None:
            return 0
        return len(connection.execute("SELECT id FROM erasures WHERE ended_at IS NOT NULL").fetchall())

    def _find_held(self) -> frozenset[str]:
        """The marks of all messages whose words stand in rows or files; free pages are not asked."""
        items = read_now(self.store.load_inbox(limit=ALL))
        held = {mark for item in items for mark in find_marks(item.submission.inbound.text, "w")}
        for transcript in self.shadow.transcripts.values():
            held |= set() if transcript.is_removed else _said(transcript.entries)
        for _, content in self.disk.contents():
            held |= set(find_marks(content.decode("utf-8", "replace"), "w"))
        return frozenset(held)

    def _load_owed(self) -> frozenset[str]:
        return frozenset(row.outbound.delivery_id for row in read_now(self.store.load_deliveries(limit=ALL)))

    def end(self, receipt: ErasureReceipt | None) -> None:
        """What was begun is done, or was never begun: a process that died may have come to neither.

        Which of the two the rows say: where only clients had written in the sessions that went, no message tells it.
        """
        wish, self._wish = self._wish, None
        if wish is None or (receipt is None and self._count_through() == wish.through):
            return
        stored = {item.inbound_id for item in read_now(self.store.load_inbox(inbound_ids=list(wish.known), limit=ALL))}
        theirs = {each for each in wish.known if wish.is_theirs(self.shadow.rows[each].item)}
        left = sorted(theirs & stored)
        self.findings.require(not left, "LEAK-11", f"messages of somebody who was erased are stored: {left}")
        self._follow(wish, gone=wish.known - stored)
        if receipt is not None:
            self.findings.require(not receipt.left, "LEAK-11", f"an erasure left {receipt.left}")

    # --- the shadow follows -------------------------------------------------------------------------------------------

    def _follow(self, wish: _Wish, *, gone: frozenset[InboundId]) -> None:
        owners = {owner_of(self.setting, one) for one in wish.places if one.chat_type == "direct"} - {"main"}
        own = {key for key, owner in self.book.owners.items() if owner in owners}
        if self.setting.dm_scope != "main":
            rows = [self.shadow.rows[each].item for each in wish.known]
            direct = [item for item in rows if item.submission.inbound.chat.type == "direct" and wish.is_theirs(item)]
            own |= {item.acceptance.session_key for item in direct}
        numbers = self._forget_messages(wish, gone, own)
        self._forget_sessions(own)
        self._follow_transcripts(own, numbers)
        self._forget_deliveries(wish, own, numbers)
        self._forget_strangers({(one.channel, "direct", one.sender_id) for one in wish.places})
        self.shadow.watchers.purse.forget({self.name(one) for one in wish.places})
        self._search(wish, numbers)

    def _forget_messages(self, wish: _Wish, gone: frozenset[InboundId], own: set[SessionKey]) -> set[int]:
        """The numbers of the messages that went."""
        numbers: set[int] = set()
        for inbound_id in gone:
            row = self.shadow.rows.pop(inbound_id)
            item = row.item
            is_right = wish.is_theirs(item) or item.acceptance.session_key in own
            self.findings.require(is_right, "LEAK-11", f"{inbound_id} went with somebody else's words")
            if row.turn_id is not None:
                self.turns.add(row.turn_id)
            number = int(item.submission.inbound.message_id[1:])
            self.book.sent[number].is_erased = True
            numbers.add(number)
        return numbers

    def _forget_sessions(self, own: set[SessionKey]) -> None:
        for key in list(self.shadow.sessions):
            session = read_now(self.store.load_session(key))
            self.findings.require((session is None) == (key in own), "LEAK-11", f"{key} is {session and 'there'}")
            if session is None:
                self.shadow.forget_session(key)
            else:
                self.shadow.sessions[key] = session

    def _follow_transcripts(self, own: set[SessionKey], numbers: set[int]) -> None:
        """Those of their own sessions are gone; in those they shared everybody else's words are still there."""
        for transcript in list(self.shadow.transcripts.values()):
            if transcript.key in own:
                del self.shadow.transcripts[transcript.session_id]
            elif not transcript.is_removed:
                page = read_now(self.store.load_all_entries(transcript.session_id))
                entries = [stored.entry for stored in page.entries]
                lost = _said(transcript.entries) - _said(entries) - {f"w{number}w" for number in numbers}
                self.findings.require(
                    not lost, "LEAK-11", f"{sorted(lost)} of others went from {transcript.session_id}"
                )
                transcript.entries = entries

    def _forget_deliveries(self, wish: _Wish, own: set[SessionKey], numbers: set[int]) -> None:
        left = self._load_owed()
        self.deliveries |= wish.owed - left
        for delivery_id, delivery in list(self.shadow.deliveries.items()):
            if delivery_id in left:
                continue
            is_theirs = wish.hears(delivery) or bool(numbers & _quoted(delivery.text))
            is_right = is_theirs or delivery.turn_id in self.turns or self.shadow.delivery_keys[delivery_id] in own
            self.findings.require(is_right, "LEAK-11", f"reply {delivery_id} of others went: {delivery.text[:60]}")
            del self.shadow.deliveries[delivery_id]
            self.shadow.sending.discard(delivery_id)

    def _forget_strangers(self, theirs: set[Guest]) -> None:
        """Who wants to be let in is asked anew, and what they were told opens nothing: theirs alone."""
        rows = read_now(self.store.load_pairings())
        strangers = self.shadow.watchers.strangers
        approved, told = strangers.keep(
            {name_guest(one.peer) for one in rows.approved}, {one.code for one in rows.waiting}
        )
        lost = sorted(approved - theirs)
        self.findings.require(not lost, "LEAK-11", f"{lost} were let in and are strangers again")
        lost = sorted(told - theirs)
        self.findings.require(not lost, "LEAK-11", f"{lost} were told codes that wait no more")

    # --- nothing is left ----------------------------------------------------------------------------------------------

    def _search(self, wish: _Wish, numbers: set[int]) -> None:
        """Look at every byte of the rows and the files for marks, secrets and ids of theirs.

        A secret stands in whatever a client writes into the same session as well, which stays in a group. It is known
        for theirs by their own words alone: where a deleted session has taken all of these along, nobody can tell.
        """
        used = {self.book.sent[number].place.index for number in numbers if self.book.sent[number].mark in wish.held}
        words = {self.book.sent[number].mark for number in numbers} - {""}
        words |= {build_secret(self.setting, one.index) for one in wish.places if one.index in used}
        words |= {one.sender_id for one in wish.places}
        self.look_for(words)

    def look_for(self, words: set[str]) -> None:
        """Report every place where one of the words stands."""
        pattern = re.compile(rb"(?<!\w)(?:%s)(?!\w)" % b"|".join(re.escape(word.encode()) for word in sorted(words)))
        for name, content in (("the database", read_image(self.engine)), *self.disk.contents()):
            found = sorted(
                {content[max(0, match.start() - 60) : match.end() + 20] for match in pattern.finditer(content)}
            )
            self.findings.require(not found, "LEAK-11", f"{name} still holds {found[:3]} of somebody who was erased")

    def check_end(self) -> None:
        """The words of those who were erased never came back, but where they wrote them anew."""
        anew = {int(row.item.submission.inbound.message_id[1:]) for row in self.shadow.rows.values()}
        words = {sent.mark for sent in self.book.sent.values() if sent.is_erased and sent.number not in anew} - {""}
        if words:
            self.look_for(words)


def _quoted(text: str) -> set[int]:
    """The numbers of the messages that a text quotes."""
    return {int(mark[1:-1]) for mark in find_marks(text, "w")}


def _said(entries: list[AnyEntry]) -> set[str]:
    """The marks of all messages of people in a transcript."""
    return {
        mark
        for entry in entries
        if isinstance(entry, MessageEntry) and isinstance(entry.message, UserMessage)
        for mark in find_marks(message_text(entry.message), "w")
    }


class WatchedEraser(StoreEraser):
    """The eraser of one life: what it has done is held against the shadow before a door opens again."""

    def __init__(self, forgetting: Forgetting, config: Config, disk: DiskOfLife) -> None:
        state_dir = forgetting.disk.folder
        places = Places(
            state_dir=state_dir,
            database=forgetting.disk.database,
            sessions=(disk.places.folder(SessionKey("agent:main:main")),),
        )
        engine = _CopiedEngine(forgetting.engine, disk.fuse, forgetting.disk.database)
        super().__init__(
            SessionStore(engine),
            places,
            links=lambda: config.routing.keys.links,
            ids=DrawnIds(forgetting.dice.below),
            flush_mirror=disk.mirror.flush,
        )
        self._forgetting = forgetting
        self.is_busy = False

    async def erase(
        self, person: Person, *, within: frozenset[SessionKey], now: Instant, who: str, drop_backups: bool
    ) -> ErasureReceipt | None:
        """Erase, and look at what is left."""
        self._forgetting.begin(person)
        self.is_busy = True
        try:
            receipt = await super().erase(person, within=within, now=now, who=who, drop_backups=drop_backups)
        finally:
            self.is_busy = False
        if receipt is not None:
            self._forgetting.end(receipt)
        return receipt

    async def resume(self) -> tuple[ErasureReceipt, ...]:
        """Go on with what a death has cut, and look at what is left."""
        receipts = await super().resume()
        self._forgetting.end(receipts[-1] if receipts else None)
        return receipts


class _CopiedEngine(FusedEngine):
    """The rows behind a fuse. While the search for what is left goes on, a copy of them stands in a file."""

    def __init__(self, inner: MemoryEngine, fuse: Fuse, path: Path) -> None:
        super().__init__(inner, fuse)
        self._rows = inner
        self._path = path

    async def wipe(self, *, log_only: bool = False) -> None:
        """Leave nothing of what was deleted, and copy the rest."""
        await super().wipe(log_only=log_only)
        if log_only:
            self._path.unlink(missing_ok=True)
        else:
            self._path.write_bytes(read_image(self._rows))


def read_image(engine: MemoryEngine) -> bytes:
    """The rows as a file would hold them, free pages included."""
    return b"" if engine.connection is None else engine.connection.serialize("main")
