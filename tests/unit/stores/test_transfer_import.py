"""An export comes in piece by piece: each session as a whole or not at all, and what was cut off goes on (LOSS-4)."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest

from instar.config.config import parse_config
from instar.core.model.change import SessionChange
from instar.core.model.ids import EntryId
from instar.core.model.query import SearchQuery, SessionQuery
from instar.errors import InvalidRequest
from instar.stores.doctor import examine
from instar.stores.store import SessionStore
from instar.stores.transfer import export_store
from instar.stores.transfer_import import import_store
from tests.builders.engines import Cut, DyingEngine
from tests.builders.store import (
    KEY,
    NOW,
    SessionTalk,
    accept,
    build_compaction,
    build_delivery,
    build_message,
    file_store,
    sealed_store,
)
from tests.builders.tables import dump_tables

LONG = 900


async def live(database: Path) -> None:
    """A session with a long life that branched, a short one and a long one."""
    async with file_store(database)() as store:
        talk = SessionTalk(store)
        await talk.begin(build_message(1, None))
        await talk.append(*(build_message(at, at - 1, f"first{at} {'x' * 300}") for at in range(2, LONG)))
        await talk.append(build_message(LONG, 500, "a branch"), build_compaction(LONG + 1, LONG, kept=LONG))
        await talk.change(SessionChange(leaf_id=EntryId(f"{LONG - 1:08x}")))
        await talk.reset("22222222-2222-4222-8222-222222222222", reason="idle", now=NOW + 5)
        await talk.append(build_message(7, None, "short"))
        await talk.reset("33333333-3333-4333-8333-333333333333", reason="new", now=NOW + 6)
        await talk.append(build_message(1, None))
        await talk.append(*(build_message(at, at - 1, f"last{at} {'y' * 300}") for at in range(2, LONG)))
        await talk.change(SessionChange(deliveries=(build_delivery(1),)))
        await accept(store)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A store with long sessions, and beside it its export."""
    database = tmp_path / "instar.db"
    asyncio.run(live(database))
    asyncio.run(export_store(database, tmp_path / "export", now=NOW, clean=None))
    return database


async def bring(store, folder, **watch):
    engine = DyingEngine(store.engine, **watch)
    await import_store(folder, SessionStore(engine))
    return engine.writes


async def visible(store):
    """What anybody could see of the long session."""
    listed = (await store.list_sessions(SessionQuery(limit=10))).sessions
    heads = await store.load_transcripts(KEY)
    found = await store.find_sessions(session_id_prefix="staged:")
    hits = (await store.search(SearchQuery(text="first77"))).hits
    return (
        [one.key for one in listed],
        [(head.session_id, head.next_seq, head.closed_at) for head in heads],
        found,
        hits,
    )


def run(open_store, story):
    async def opened():
        async with open_store() as store:
            return await story(store)

    return asyncio.run(opened())


def test_a_session_of_many_lines_is_seen_as_a_whole_or_not_at_all(tmp_path: Path, old: Path):
    async def story(store):
        seen = []

        async def look():
            seen.append((await visible(store))[:3])

        writes = await bring(store, tmp_path / "export", seen=look)
        assert writes > 2 * LONG / 400
        kinds = [state for at, state in enumerate(seen) if state not in seen[:at]]
        assert kinds == [([], [], ()), ([KEY], kinds[-1][1], ())]
        assert len(kinds[-1][1]) == 3

    run(file_store(tmp_path / "new" / "instar.db"), story)
    assert dump_tables(tmp_path / "new" / "instar.db") == dump_tables(old)


def test_no_write_of_an_import_takes_many_lines(tmp_path: Path, old: Path):
    async def story(store):
        counts = [0]

        async def look():
            rows = await store.engine.read(lambda tx: tx.all("walk_lines", {"transcript": 0, "seq": 0, "limit": 10**6}))
            counts.append(len(rows))

        await bring(store, tmp_path / "export", seen=look)
        assert max(later - earlier for earlier, later in pairwise(counts)) <= 400
        assert counts[-1] == 2 * LONG + 1

    run(file_store(tmp_path / "new" / "instar.db"), story)


@pytest.mark.parametrize("kind", ["plain", "sealed"])
def test_an_import_that_dies_at_any_write_goes_on_and_comes_to_the_same(tmp_path: Path, old: Path, kind: str):
    def opened(name: str):
        state = tmp_path / name
        return sealed_store(state) if kind == "sealed" else file_store(state / "instar.db")

    writes = run(opened("whole"), lambda store: bring(store, tmp_path / "export"))
    wanted = run(opened("whole"), read_everything)
    for at in {1, 2, 3, 4, 5, 7, 9, writes - 8, writes - 1}:
        again = opened(f"cut{at}")

        async def die(store, *, at=at):
            with pytest.raises(Cut):
                await bring(store, tmp_path / "export", at=at)
            keys, heads, found, _ = await visible(store)
            assert (len(keys), len(heads), found) in {(0, 0, ()), (1, 3, ())}

        run(again, die)
        run(again, lambda store: bring(store, tmp_path / "export"))
        assert run(again, read_everything) == wanted
        if kind == "plain" and at % 2:
            assert dump_tables(tmp_path / f"cut{at}" / "instar.db") == dump_tables(old)


async def read_everything(store):
    heads = await store.load_transcripts(KEY)
    pages = [await store.load_all_entries(head.session_id) for head in heads]
    inbox, outbox = await store.load_inbox(session_key=KEY), await store.load_deliveries(session_key=KEY)
    assert await store.engine.read(lambda tx: tx.all("list_staged", {})) == []
    return await store.load_session(KEY), pages, inbox, outbox


def test_a_part_is_told_and_taken_neither_by_another_export_nor_behind_a_gateway(tmp_path: Path, old: Path):
    state = tmp_path / "new"
    other = tmp_path / "other"
    asyncio.run(export_store(old, other, now=NOW + 1, clean=None))

    async def die(store):
        with pytest.raises(Cut):
            await bring(store, tmp_path / "export", at=5)

    async def refused(store):
        with pytest.raises(InvalidRequest, match="not empty"):
            await bring(store, other)
        await store.recover(NOW)
        with pytest.raises(InvalidRequest, match="cannot go on"):
            await bring(store, tmp_path / "export")

    run(file_store(state / "instar.db"), die)
    found = {one.code for one in examine(parse_config({}, env={}, state_dir=state, home=tmp_path))}
    assert found >= {"import-unfinished", "import-cut-off"}
    run(file_store(state / "instar.db"), refused)
    run(file_store(tmp_path / "third" / "instar.db"), lambda store: bring(store, tmp_path / "export"))
    third = parse_config({}, env={}, state_dir=tmp_path / "third", home=tmp_path)
    assert "import-unfinished" not in {one.code for one in examine(third)}
