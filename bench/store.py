"""The store beside bare SQLite: the same rows, the same pragmas, the same disk.

The other side is one apsw connection in this process: no threads, no decisions, no checks. Ours is asked from an event
loop, as a gateway asks it, so both ways between its threads are in the figures.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import apsw

from bench.harness import (
    Aim,
    Options,
    Row,
    Sample,
    Table,
    at_most,
    await_in_turns,
    collect,
    flat_aim,
    rated,
    timed,
)
from bench.seeds import build_words, copy_store, fill_transcript, seed_id, seed_key
from instar.core.model.change import SessionChange, SessionFacts
from instar.core.model.entry import AnyEntry, MessageEntry, UserMessage
from instar.core.model.ids import EntryId, Instant, SessionId, SessionKey
from instar.core.model.query import SessionQuery
from instar.stores.migrate import load_steps
from instar.stores.rows import format_line, line_bytes
from instar.stores.sqlite import SqliteStore
from instar.stores.sqlite.connection import open_reader, open_writer
from instar.stores.transaction import load_queries
from instar.system.clock import SystemClock

TITLE = "Store"

SESSIONS = 64
"""Sessions that append at once."""

PIECES = 60
"""Appends of one side before it is the other's turn: long enough for both to reach their stride."""

WARM_UP = 1_200
"""Appends before anything counts: until then the write-ahead log grows, which costs more than to fill it again."""

QUERIES = load_queries("sqlite")
LIST = {"archived": 0, "since": 0, "agent_id": None, "search": None, "include_global": 0, "include_unknown": 0}

CLOCK = SystemClock()
WORDS = build_words(0)
"""What every message says. The words are drawn here, ahead: to draw them costs as much as to store them."""

LARGE = SessionId("ffffffff-0000-4000-8000-000000000000")


async def measure(options: Options) -> Table:
    """Every row of the table."""
    rows = [*await measure_appends(options), *await measure_lists(options), *await measure_history(options)]
    return Table(title=TITLE, text=__doc__.partition("\n\n")[2], rows=tuple(rows))


# --- appending --------------------------------------------------------------------------------------------------------


class Store:
    """Our side: appends through the store."""

    def __init__(self, path: Path) -> None:
        self.store = SqliteStore(path, reserve_bytes=0)
        self._ids = itertools.count(1 << 20)

    async def append(self, key: SessionKey) -> None:
        """One entry, one commit."""
        now = CLOCK.now()
        entry_id = EntryId(f"{next(self._ids):08x}")

        def decide(facts: SessionFacts) -> SessionChange:
            leaf_id = facts.transcript.leaf_id if facts.transcript else None
            return SessionChange(entries=(build_entry(entry_id, leaf_id, now),))

        await self.store.change("append", key, now=now, fence=None, decide=decide)


class Bare:
    """Their side: the same row by hand."""

    def __init__(self, path: Path) -> None:
        self.connection = open_writer(str(path), load_steps("sqlite"))
        self._cursor = self.connection.cursor()
        self._ids = itertools.count(1 << 20)
        find = "SELECT id FROM transcripts WHERE session_id = ?"
        self._rows = [self._cursor.execute(find, (seed_id(number),)).get for number in range(SESSIONS)]
        self._seqs = dict.fromkeys(self._rows, 2)

    def append(self, number: int = 0) -> None:
        """One entry, one commit, in the session of that number."""
        transcript = self._rows[number % SESSIONS]
        self._seqs[transcript] += 1
        seq = self._seqs[transcript]
        now = CLOCK.now()
        line = format_line(build_entry(EntryId(f"{next(self._ids):08x}"), None, now))
        columns = {
            "transcript": transcript,
            "seq": seq,
            "id": f"{next(self._ids):08x}",
            "parent_seq": seq - 1,
            "type": line.type,
            "at": now,
            "tokens": line.tokens,
            "messages": seq,
            "bytes": seq * line_bytes(line.text),
            "line": line.text,
        }
        self._cursor.execute("BEGIN IMMEDIATE")
        self._cursor.execute(QUERIES["insert_entry"], columns)
        self._cursor.execute("COMMIT")

    def time(self, count: int) -> list[float]:
        """The seconds of so many appends, one session after the other."""
        taken = []
        for number in range(count):
            started = time.perf_counter()
            self.append(number)
            taken.append(time.perf_counter() - started)
        return taken


def build_entry(entry_id: EntryId, parent_id: EntryId | None, now: Instant) -> AnyEntry:
    """A message of forty words."""
    message = UserMessage(content=WORDS, timestamp=now)
    return MessageEntry(id=entry_id, parent_id=parent_id, timestamp=now, message=message)


async def measure_appends(options: Options) -> list[Row]:
    """One after the other, and from many sessions at once: the gain of group commit."""
    ours = Store(await copy_store(options, 100, options.folder / "store-ours"))
    await ours.store.open()
    bare = Bare(await copy_store(options, 100, options.folder / "store-bare"))

    async def append_next(number: int) -> None:
        await ours.append(seed_key(number % SESSIONS))

    async def append_next_bare(number: int) -> None:
        bare.append(number)

    async def append_all() -> Sequence[float]:
        each = PIECES // 6

        async def append_some(key: SessionKey) -> None:
            for _ in range(each):
                await ours.append(key)

        started = time.perf_counter()
        await asyncio.gather(*(append_some(seed_key(number)) for number in range(SESSIONS)))
        return [(time.perf_counter() - started) / (each * SESSIONS)]

    async def append_bare() -> Sequence[float]:
        return bare.time(PIECES)

    ways = {"ours": append_next, "bare": append_next_bare}
    single = await await_in_turns(ways, options.times(4_000), warm_up=WARM_UP)
    many = await collect(append_all, append_bare, rounds=options.times(50))
    await ours.store.close()
    bare.connection.close()
    return [
        Row(
            name="append one entry, one commit",
            ours=timed(single["ours"]),
            against="bare apsw",
            theirs=timed(single["bare"]),
            aim=at_most(1.5),
        ),
        Row(
            name=f"append from {SESSIONS} sessions at once, entries a second",
            ours=rated(many[0]),
            against="bare commits in turn",
            theirs=rated(many[1]),
            aim=Aim(text="≥ 3× the rate", ratio_min=3.0),
        ),
    ]


# --- lists ------------------------------------------------------------------------------------------------------------


async def measure_lists(options: Options) -> list[Row]:
    """A page of a hundred, out of more and more sessions."""
    sizes = (1_000, 10_000, 20_000) if options.quick else (1_000, 10_000, 100_000)
    stores = {size: await copy_store(options, size, options.folder / f"store-{size}") for size in sizes}
    ours: dict[int, SqliteStore] = {size: SqliteStore(path, reserve_bytes=0) for size, path in stores.items()}
    ways: dict[str, Callable[[int], object]] = {}
    for size, store in ours.items():
        await store.open()
        reader = open_reader(str(stores[size])).cursor()
        ways[f"ours {size}"] = partial(_list_ours, store)
        ways[f"bare {size}"] = partial(_run_bare, reader, "list_sessions", {**LIST, "limit": 100, "offset": 0})
    taken = await await_in_turns(ways, options.times(300))  # type: ignore[arg-type]  # all of them are awaited
    for store in ours.values():
        await store.close()
    rows = [
        Row(
            name=f"list page of 100 out of {size:,}",
            ours=timed(taken[f"ours {size}"]),
            against="bare SELECT",
            theirs=timed(taken[f"bare {size}"]),
            aim=at_most(3),
        )
        for size in sizes
    ]
    return [*rows, _build_flat(f"list page, {sizes[-1]:,} sessions against {sizes[0]:,}", rows[-1], rows[0])]


async def _list_ours(store: SqliteStore, _number: int) -> None:
    await store.list_sessions(SessionQuery(limit=100))


async def _run_bare(cursor: apsw.Cursor, name: str, params: Mapping[str, object], _number: int) -> None:
    """What the bare side reads; awaited like ours, so that both pay for it."""
    cursor.execute(QUERIES[name], {key: params[key] for key in re.findall(r":(\w+)", QUERIES[name])}).fetchall()  # type: ignore[arg-type]


def _build_flat(name: str, large: Row, small: Row) -> Row:
    return Row(name=name, ours=large.ours, against="our own, small", theirs=small.ours, aim=flat_aim())


# --- history ----------------------------------------------------------------------------------------------------------


async def measure_history(options: Options) -> list[Row]:
    """The newest two hundred entries of short and long transcripts."""
    path = await copy_store(options, 1_000, options.folder / "store-history")
    store = SqliteStore(path, reserve_bytes=0)
    await store.open()
    key = SessionKey("agent:main:bench:large")
    await fill_transcript(store, key, session_id=LARGE, entries=10_000)
    small = SessionId("eeeeeeee-0000-4000-8000-000000000000")
    await fill_transcript(store, SessionKey("agent:main:bench:small"), session_id=small, entries=200)
    reader = open_reader(str(path)).cursor()
    row = reader.execute("SELECT id FROM transcripts WHERE session_id = ?", (LARGE,)).get
    page = {"transcript": row, "before_seq": 1 << 62, "from_seq": 1, "limit": 201}

    async def load(session_id: SessionId, _number: int) -> None:
        await store.load_entries(session_id, limit=200, messages_only=True)

    ways = {
        "large": partial(load, LARGE),
        "small": partial(load, small),
        "bare": partial(_run_bare, reader, "load_message_entries", page),
    }
    taken = await await_in_turns(ways, options.times(150))
    await store.close()
    large = Sample(values=timed(taken["large"]).values, unit="ms")
    return [
        Row(name="history page of 200 out of 10,000", ours=large, against="bare SELECT", theirs=timed(taken["bare"])),
        Row(
            name="history page of 200, 10,000 entries against 200",
            ours=large,
            against="our own, small",
            theirs=timed(taken["small"]),
            aim=flat_aim(),
        ),
    ]
