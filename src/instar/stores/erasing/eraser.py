"""An erasure from begin to receipt, and on from wherever it was cut (LEAK-11).

In order: find what is held; write down that it goes, so that a cut is finished by the next start; rows; files; the
messages themselves, which told whose is what; their keys, where words are sealed; the database file written anew
without its free pages; the search for what is left; the receipt. Each step may run again. Until the receipt is written
the row of the erasure says whom it is about, masked, so that the search does not find it; with the receipt that is
wiped too.

Others write meanwhile. Where the search finds something, it asks once more which of the words are others' by now, and
looks for the rest alone.
"""

from __future__ import annotations

import asyncio
import base64
import string
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import structlog

from instar.core.lifecycle.archive_name import format_file_time
from instar.core.model.change import Noted
from instar.core.model.decision import Decision, InputValue
from instar.core.model.ids import Instant, SessionId, SessionKey
from instar.core.model.people import ErasureReceipt, ExportedPerson, Person, PersonRow
from instar.core.policy.erased import hash_ids
from instar.core.routing.identity import Links
from instar.core.routing.person import PersonTest
from instar.errors import InvalidRequest, NotFound
from instar.ports.ids import IdSource
from instar.stores.decisions import record_decisions
from instar.stores.erased import Erased, keep_away, list_erased, write_list
from instar.stores.erasing.export import Clean, export_person
from instar.stores.erasing.files import (
    EXPORTS,
    Places,
    erase_files,
    find_common_in_archives,
    follow_archived_forks,
    recall_in_archives,
)
from instar.stores.erasing.find import Holdings, ask, find_common_by_now, find_holdings
from instar.stores.erasing.people import list_people
from instar.stores.erasing.rows import clean_shared, erase_messages, erase_rows, erase_session, rewrite_transcript
from instar.stores.erasing.scan import Scan, scan_backups, search_everything
from instar.stores.erasing.shred import shred
from instar.stores.rows import forget_parsed, format_json
from instar.stores.search import merge_index
from instar.stores.store import SessionStore
from instar.stores.transaction import Params, Transaction, Value
from instar.system.files import is_plain_name, sync_folder

__all__ = ["StoreEraser"]

_PLANNED: Final = (
    "list_outbox_of_person",
    "list_decisions_of_person",
    "list_usage_of_person",
    "list_pairings_of_person",
    "list_members_of_person",
    "list_tokens_of_person",
)
"""What a dry run counts beside sessions and messages."""

_SIGNS: Final = (string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/").encode()
_HIDDEN: Final = bytes(range(0x80, 0xC0))
"""The bytes with which no word begins in UTF-8: among nothing but them none can stand, not even by chance."""

log = structlog.get_logger(__name__)


class _Wanted(msgspec.Struct, kw_only=True):
    """Whom an erasure is about, as its row keeps it until the receipt: what a second look could not find any more."""

    person: Person
    keys: list[str]
    shared: list[str]
    session_ids: list[str]
    names: list[str]
    aliases: list[str]
    needles: list[str]
    common: int
    drop_backups: bool
    counts: dict[str, int]


_wanted: Final = msgspec.json.Decoder(_Wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Erasure:
    """One erasure under way: its name, when it began, at whose wish, and whether old backups go too."""

    id: str
    began_at: Instant
    who: str
    drop_backups: bool


def _as_it_is(value: object) -> object:
    return value


class StoreEraser:
    """Keeps `instar.gateway.parts.Eraser` over one store and its files.

    `links` gives the identity links of this moment; `flush_mirror` brings the mirror level with the rows; `clean` takes
    secrets out of what is exported.
    """

    def __init__(
        self,
        store: SessionStore,
        places: Places,
        *,
        links: Callable[[], Links],
        ids: IdSource,
        flush_mirror: Callable[[], Awaitable[None]],
        clean: Clean = _as_it_is,
    ) -> None:
        self._store = store
        self._engine = store.engine
        self._places = places
        self._links = links
        self._ids = ids
        self._flush_mirror = flush_mirror
        self._clean = clean

    # --- what is asked ------------------------------------------------------------------------------------------------

    async def list(self, *, limit: int) -> tuple[PersonRow, ...]:
        """Everybody whom the rows know, whoever wrote last first."""
        return await list_people(self._engine, self._links(), limit=limit)

    async def find_keys(self, person: Person) -> frozenset[SessionKey]:
        """The sessions in which a person takes part, theirs alone and shared ones, and the places of theirs."""
        found = await find_holdings(self._engine, person, self._links())
        await asyncio.to_thread(follow_archived_forks, self._places, found)
        for _, noted in await self._load_cut(person):
            _add_noted(found, noted)
        return frozenset(found.keys | found.shared | found.places)

    async def export(self, person: Person, *, name: str | None, now: Instant) -> ExportedPerson:
        """Write what is held about a person into ``<state>/exports``. Raises `NotFound`, `InvalidRequest`."""
        if name and not is_plain_name(name):
            raise InvalidRequest(f"{name!r} is no name of a folder", fix="Give a plain name, no path.", field="name")
        folder = self._places.state_dir / EXPORTS / (name or f"person-{format_file_time(now)}")
        return await self.export_to(person, folder, now=now)

    async def export_to(self, person: Person, folder: Path, *, now: Instant) -> ExportedPerson:
        """Write what is held about a person into a new folder. Raises `NotFound`, `InvalidRequest`, `StoreError`."""
        found = await self._require(person)
        return await export_person(self._store, self._places, found, folder, now=now, clean=self._clean)

    async def find(self, person: Person) -> Holdings:
        """What is held about a person. Nothing is changed."""
        links = self._links()
        found = await find_holdings(self._engine, person, links, recall=partial(recall_in_archives, self._places))
        await asyncio.to_thread(follow_archived_forks, self._places, found)
        test = PersonTest(person=person, links=links)
        common = await asyncio.to_thread(find_common_in_archives, self._places, found, test)
        found.common += len(found.needles & common)
        found.needles -= common
        return found

    async def _require(self, person: Person, *, in_backups: bool = False) -> Holdings:
        """What is held about a person; with `in_backups` a backup counts too. Raises `NotFound` for nothing."""
        found = await self.find(person)
        params = found.params()
        if found or any([await self._engine.read(partial(ask, query=one, params=params)) for one in _PLANNED]):
            return found
        backups = await asyncio.to_thread(scan_backups, self._places, found.needles) if in_backups else ()
        if backups:
            return found
        raise NotFound(
            f"Nothing is held about {person.name}",
            why="nobody of that id wrote, owns a session or has a token",
            fix="`instar people list` shows who is known.",
        )

    async def plan(self, person: Person, *, now: Instant) -> ErasureReceipt:
        """What an erasure would take out, and where the person is found now. Raises `NotFound`."""
        found = await self._require(person)
        params = found.params()
        counts = Counter(sessions=len(found.keys), shared_sessions=len(found.shared), messages=len(found.inbounds))
        for query in _PLANNED:
            name = query.removeprefix("list_").removesuffix("_of_person")
            counts[name] = len(await self._engine.read(partial(ask, query=query, params=params)))
        scan = await asyncio.to_thread(search_everything, self._places, found.needles)
        backups = await asyncio.to_thread(scan_backups, self._places, found.needles)
        receipt = _build_receipt(found, counts, scan, self._places, backups=backups, at=now)
        return replace(receipt, left=scan.left(self._places, is_kept=False), planned=True)

    async def erase(
        self, person: Person, *, within: frozenset[SessionKey], now: Instant, who: str, drop_backups: bool
    ) -> ErasureReceipt | None:
        """Take a person out of everything; what was done.

        `within` are the sessions that are held still: where there are others by now nothing is done, and None is given.
        Raises `NotFound`; `StoreError`, OSError when it was cut: the next start goes on then.
        """
        found, cut = await self._find_wanted(person, drop_backups=drop_backups)
        if not found.keys | found.shared | found.places <= within:
            return None
        return await self._begin(found, cut, now=now, who=who, drop_backups=drop_backups)

    async def erase_all(self, person: Person, *, now: Instant, who: str, drop_backups: bool) -> ErasureReceipt:
        """As `erase`, for whoever has the store alone: nothing need be held still."""
        found, cut = await self._find_wanted(person, drop_backups=drop_backups)
        return await self._begin(found, cut, now=now, who=who, drop_backups=drop_backups)

    async def list_cut(self) -> tuple[Person, ...]:
        """Whoever's erasure was begun and is not through."""
        return tuple([noted.person for _, noted in await self._load_cut()])

    async def _load_cut(self, person: Person | None = None) -> tuple[tuple[str, _Wanted], ...]:
        """Erasures that were cut, with what they noted: all, or those that one of the person has to go on with."""
        rows = await self._engine.read(partial(ask, query="list_open_erasures", params={}))
        cut = [(erasure_id, _read_wanted(wanted, pad)) for erasure_id, _, wanted, pad in rows]
        return tuple([one for one in cut if person is None or one[1].person.principals <= person.principals])

    async def _find_wanted(
        self, person: Person, *, drop_backups: bool
    ) -> tuple[Holdings, Sequence[tuple[str, _Wanted]]]:
        """What is to go, and the erasures that were cut before they had come to all of it. Raises `NotFound`."""
        cut = await self._load_cut(person)
        found = await self.find(person) if cut else await self._require(person, in_backups=drop_backups)
        for _, noted in cut:
            _add_noted(found, noted)
        return found, cut

    async def _begin(
        self, found: Holdings, cut: Sequence[tuple[str, _Wanted]], *, now: Instant, who: str, drop_backups: bool
    ) -> ErasureReceipt:
        """Write down what goes, with what those that were `cut` had not come to, then let it go."""
        drop_backups |= any(noted.drop_backups for _, noted in cut)
        erasure = _Erasure(id=self._ids.session_id(), began_at=now, who=who, drop_backups=drop_backups)
        await self._keep_away(found, now)
        counts = sum((Counter(noted.counts) for _, noted in cut), Counter[str]())
        columns: Params = {"id": erasure.id, "at": now, **self._mask(erasure, found, counts)}

        def begin(tx: Transaction) -> None:
            tx.run("begin_erasure", columns)
            tx.run_many("drop_erasure", [{"id": erasure_id} for erasure_id, _ in cut])

        await self._engine.write(begin, purpose="freeing")
        return await self._carry_out(erasure, found, counts)

    async def resume(self) -> tuple[ErasureReceipt, ...]:
        """Go on with erasures that were cut, before anything else is done with the store."""
        rows = await self._engine.read(lambda tx: tx.all("list_open_erasures", {}))
        return tuple([await self._go_on(*row) for row in rows])

    async def _go_on(self, erasure_id: str, began_at: Instant, wanted: bytes, pad: bytes) -> ErasureReceipt:
        known = _read_wanted(wanted, pad)
        log.warning("erasure_resumed", erasure=erasure_id)
        found = await self.find(known.person)
        _add_noted(found, known)
        erasure = _Erasure(id=erasure_id, began_at=began_at, who="gateway", drop_backups=known.drop_backups)
        return await self._carry_out(erasure, found, Counter(known.counts))

    # --- the steps ----------------------------------------------------------------------------------------------------

    async def _carry_out(self, erasure: _Erasure, found: Holdings, counts: Counter[str]) -> ErasureReceipt:
        test = PersonTest(person=found.person, links=self._links())
        counts = counts + await self._erase_rows(found, test)
        columns: Params = {"id": erasure.id, **self._mask(erasure, found, counts)}
        await self._engine.write(lambda tx: tx.run("save_erasure", columns), purpose="freeing")
        await self._flush_mirror()
        counts += await asyncio.to_thread(erase_files, self._places, found, test)
        await self._touch(found)
        await self._flush_mirror()
        params = found.params()
        counts += await self._engine.write(lambda tx: erase_messages(tx, params), purpose="freeing")
        counts += await shred(self._engine, self._places, found)
        await self._engine.write(merge_index, purpose="freeing")
        await self._engine.wipe()
        forget_parsed()
        receipt, scan = await self._search(erasure, found, test, counts)
        await self._engine.write(partial(_finish, receipt=receipt, who=erasure.who), purpose="freeing")
        await self._engine.wipe(log_only=True)
        log.info("person_erased", erasure=erasure.id, residue=receipt.residue)
        return replace(receipt, left=scan.left(self._places, is_kept=False))

    async def _search(
        self, erasure: _Erasure, found: Holdings, test: PersonTest, counts: Counter[str]
    ) -> tuple[ErasureReceipt, Scan]:
        """Look for what is left, in backups too, and drop those where that was asked for."""
        # Backups are older than the erasure: what others wrote since then is in none.
        backups = await asyncio.to_thread(scan_backups, self._places, found.needles)
        scan = await asyncio.to_thread(search_everything, self._places, found.needles)
        if scan and await self._let_go(found, test):
            scan = await asyncio.to_thread(search_everything, self._places, found.needles)
        receipt = _build_receipt(found, counts, scan, self._places, backups=backups, at=erasure.began_at)
        if not erasure.drop_backups:
            return replace(receipt, id=erasure.id), scan
        await asyncio.to_thread(_drop, backups)
        return replace(receipt, id=erasure.id, backups=(), dropped_backups=receipt.backups), scan

    async def _let_go(self, found: Holdings, test: PersonTest) -> bool:
        """Look no more for words that are others' by now, such as the name of a namesake who wrote meanwhile; whether
        there were any.
        """
        common = await find_common_by_now(self._engine, found, test.links)
        common |= await asyncio.to_thread(find_common_in_archives, self._places, found, test)
        common &= found.needles
        found.common += len(common)
        found.needles -= common
        return bool(common)

    def _mask(self, erasure: _Erasure, found: Holdings, counts: Counter[str]) -> dict[str, Value]:
        """Whom an erasure is about, and a pad: neither can hold a word, so the search finds neither."""
        pad = bytes.fromhex(self._ids.session_id().replace("-", ""))
        return {"wanted": _hide(_mix(_pack(found, erasure, counts), pad)), "pad": _hide(pad)}

    async def _erase_rows(self, found: Holdings, test: PersonTest) -> Counter[str]:
        counts: Counter[str] = Counter()
        for key in sorted(found.keys):
            await self._store.search_index.forget(key)
            counts += await self._engine.write(partial(erase_session, key=key), purpose="freeing")
        traces, params = found.traces(), found.params()
        shared = msgspec.json.encode(sorted(found.shared)).decode()
        for session_id, key in await self._engine.read(lambda tx: tx.all("list_session_transcripts", {"keys": shared})):
            own = found.narrow(traces, SessionKey(key))
            rewrite = partial(rewrite_transcript, session_id=SessionId(session_id), traces=own)
            counts += await self._engine.write(rewrite, purpose="freeing")
        clean = partial(clean_shared, params=params, shared=found.shared, test=test, traces=traces)
        counts += await self._engine.write(clean, purpose="freeing")
        counts += await self._engine.write(lambda tx: erase_rows(tx, params), purpose="freeing")
        return counts

    async def _touch(self, found: Holdings) -> None:
        """Let the mirror look again at the files of shared transcripts, some of which were taken away."""
        shared = msgspec.json.encode(sorted(found.shared)).decode()

        def touch(tx: Transaction) -> None:
            for session_id, _ in tx.all("list_session_transcripts", {"keys": shared}):
                tx.touched.transcripts.add(session_id)
            tx.touched.keys.update(found.shared)

        await self._engine.write(touch, purpose="freeing")

    async def _keep_away(self, found: Holdings, now: Instant) -> None:
        """Note what must not come back, as hashes."""
        ids = {*found.person.principals, *found.aliases, *found.keys, *found.session_ids}
        fresh = self._ids.token()

        def note(tx: Transaction) -> list[Erased]:
            salt = next((row[0] for row in tx.all("list_salts", {})), fresh)
            keep_away(tx, (Erased(hash=one, salt=salt, at=now) for one in hash_ids(ids, salts=[salt])))
            return list_erased(tx)

        erased = await self._engine.write(note, purpose="freeing")
        await asyncio.to_thread(write_list, self._places.state_dir, erased)


def _finish(tx: Transaction, *, receipt: ErasureReceipt, who: str) -> None:
    """The receipt, and the decision of it, without identity (WHY-1)."""
    told = msgspec.json.encode(asdict(receipt)).decode()
    tx.run("end_erasure", {"id": receipt.id, "at": receipt.at, "receipt": told})
    inputs: dict[str, InputValue] = {"erasure": receipt.id, **receipt.counts, "residue": receipt.residue}
    decision = Decision(kind="erase", outcome="erased", rule="LEAK-11", inputs=inputs)
    record_decisions(tx, [Noted(decision=decision, who=who)], key=None, now=receipt.at)


def _drop(backups: Iterable[Path]) -> None:
    for path in backups:
        path.unlink(missing_ok=True)
        sync_folder(path.parent)


def _build_receipt(
    found: Holdings, counts: Counter[str], scan: Scan, places: Places, *, backups: Iterable[Path], at: Instant
) -> ErasureReceipt:
    left = scan.left(places, is_kept=True)
    return ErasureReceipt(
        id="",
        at=at,
        counts={name: count for name, count in sorted(counts.items()) if count},
        residue=sum(one.count for one in left),
        left=left,
        searched_words=len(found.needles),
        common_words=found.common,
        searched_files=scan.files,
        backups=tuple(path.name for path in backups),
    )


# --- the row of an erasure --------------------------------------------------------------------------------------------


def _pack(found: Holdings, erasure: _Erasure, counts: Counter[str]) -> bytes:
    wanted = _Wanted(
        person=found.person,
        keys=sorted(found.keys),
        shared=sorted(found.shared),
        session_ids=sorted(found.session_ids),
        names=sorted(found.names),
        aliases=sorted(found.aliases),
        needles=sorted(found.needles),
        common=found.common,
        drop_backups=erasure.drop_backups,
        counts=dict(counts),
    )
    return format_json(wanted).encode()


def _add_noted(found: Holdings, noted: _Wanted) -> None:
    """Add what an erasure noted at its begin: some of it cannot be found any more."""
    for name in ("keys", "shared", "session_ids", "names", "aliases", "needles"):
        getattr(found, name).update(getattr(noted, name))
    found.shared -= found.keys
    found.common = noted.common


def _read_wanted(wanted: bytes, pad: bytes) -> _Wanted:
    return _wanted.decode(_mix(_show(wanted), _show(pad)))


def _mix(text: bytes, pad: bytes) -> bytes:
    """A text under a pad; done again, the text."""
    return bytes(sign ^ pad[place % len(pad)] for place, sign in enumerate(text))


def _hide(text: bytes) -> bytes:
    """Base64 in the bytes of `_HIDDEN`."""
    return base64.b64encode(text).rstrip(b"=").translate(bytes.maketrans(_SIGNS, _HIDDEN))


def _show(hidden: bytes) -> bytes:
    signs = hidden.translate(bytes.maketrans(_HIDDEN, _SIGNS))
    return base64.b64decode(signs + b"=" * (-len(signs) % 4))
