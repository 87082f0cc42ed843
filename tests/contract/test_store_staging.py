"""A long foreign transcript comes in piece by piece: all of it is there, or nothing (STORE-6, LOSS-4)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from instar.core.model.entry import CompactionEntry, Header
from instar.core.model.ids import EntryId, SessionId
from instar.core.model.query import SearchQuery, SessionQuery
from instar.core.turn.imported import build_imported_session
from instar.errors import InvalidRequest, NotFound, StoreError
from instar.stores.change import import_transcript
from instar.stores.staging import Overtaken, import_in_pieces
from instar.stores.store import SessionStore
from instar.stores.transcripts import WHOLE_ENTRIES
from tests.builders.engines import Cut, DyingEngine
from tests.builders.store import KEY, NOW, SID, build_decision, build_message, build_session

LONG = SessionId("22222222-2222-4222-8222-222222222222")
HEADER = Header(id=LONG, timestamp=NOW)


def build_entries(count=WHOLE_ENTRIES * 6, *, chars=40):
    return [build_message(at, at - 1 if at else None, f"word{at} " + "x" * chars) for at in range(count)]


async def bring(engine, entries, *, key=KEY, header=HEADER):
    session = build_imported_session(header, entries, key=key, agent_id="main")
    return await import_in_pieces(engine, session, header, entries, now=NOW, decision=build_decision())


async def visible(store):
    """Whatever anybody could see of the import."""
    page = await store.list_sessions(SessionQuery(limit=10))
    heads = await store.load_transcripts(KEY)
    found = await store.find_sessions(session_id_prefix=LONG[:8])
    staged = await store.find_sessions(session_id_prefix="staged:2222")
    hits = await store.search(SearchQuery(text="word7"))
    return (
        page.sessions,
        [head.session_id for head in heads],
        [*found, *staged],
        hits.hits,
    )


def run(open_store, story):
    async def opened():
        async with open_store() as store:
            return await story(store)

    return asyncio.run(opened())


def test_a_long_transcript_is_there_with_every_line_in_order(open_store):
    entries = build_entries()

    async def story(store):
        assert await bring(store.engine, entries)
        page = await store.load_all_entries(LONG)
        assert [stored.entry for stored in page.entries] == entries
        assert (page.head.closed_at, page.head.leaf_id, page.head.message_count) == (
            None,
            entries[-1].id,
            len(entries),
        )
        session = await store.load_session(KEY)
        assert session.session_id == LONG
        hits = await store.search(SearchQuery(text="word777"))
        assert [hit.session_id for hit in hits.hits] == [LONG]

    run(open_store, story)


def test_it_is_the_same_as_what_one_write_stores(open_store):
    """Branches, a compaction and a line that nothing hangs on, over the borders of pieces."""
    entries = [*build_entries(500)]
    entries.append(
        CompactionEntry(
            id=EntryId("c0000001"),
            parent_id=entries[-1].id,
            timestamp=NOW,
            summary="so far",
            first_kept_id=entries[450].id,
            tokens_before=9,
        )
    )
    entries += [build_message(1000 + at, 300 if at == 0 else 999 + at) for at in range(450)]

    async def story(store):
        assert await bring(store.engine, entries)
        other = replace(HEADER, id=SID)
        session = build_imported_session(other, entries, key="agent:main:other", agent_id="main")
        await store.engine.write(
            lambda tx: import_transcript(tx, session, other, entries, now=NOW, decision=build_decision())
        )
        whole, pieced = await store.load_all_entries(SID), await store.load_all_entries(LONG)
        assert whole.entries == pieced.entries
        assert replace(pieced.head, session_id=SID, key="agent:main:other", header=other) == whole.head
        assert (await store.load_context(SID)).entries == (await store.load_context(LONG)).entries

    run(open_store, story)


def test_nothing_of_it_is_seen_before_it_is_whole(open_store):
    async def story(store):
        seen = []

        async def look():
            seen.append(await visible(store))

        before = await visible(store)
        engine = DyingEngine(store.engine, seen=look)
        await bring(engine, build_entries())
        assert len(seen) > 4
        assert seen[:-1] == [before] * (len(seen) - 1)
        assert seen[-1][1] == [LONG]

    run(open_store, story)


@pytest.mark.parametrize("at", range(1, 6))
@pytest.mark.parametrize("has_session", [False, True])
def test_a_death_between_two_pieces_leaves_nothing_and_the_next_start_clears_up(open_store, at, has_session):
    entries = build_entries()

    async def die(store):
        if has_session:
            session = build_session()
            await store.import_transcript(
                session, Header(id=SID, timestamp=NOW), [], now=NOW, decision=build_decision()
            )
        before = await visible(store)
        with pytest.raises(Cut):
            await bring(DyingEngine(store.engine, at=at), entries)
        assert await visible(store) == before
        return before

    async def rise(store):
        await store.recover(NOW)
        assert await store.engine.read(lambda tx: tx.all("list_staged", {})) == []
        assert await visible(store) == before
        with pytest.raises(NotFound):
            await store.load_all_entries(SessionId(f"staged:{LONG}"))

    before = run(open_store, die)
    run(open_store, rise)


def test_the_same_import_goes_through_after_it_was_cut_and_again_adds_nothing(open_store):
    entries = build_entries()

    async def story(store):
        with pytest.raises(Cut):
            await bring(DyingEngine(store.engine, at=3), entries)
        assert await bring(store.engine, entries)
        assert not await bring(store.engine, entries)
        page = await store.load_all_entries(LONG)
        assert [stored.entry for stored in page.entries] == entries
        assert len(await store.load_transcripts(KEY)) == 1

    run(open_store, story)


def test_it_joins_the_history_of_a_session_that_is_there(open_store):
    async def story(store):
        await store.import_transcript(
            build_session(), Header(id=SID, timestamp=NOW), [build_message(1, None)], now=NOW, decision=build_decision()
        )
        assert await bring(store.engine, build_entries())
        heads = await store.load_transcripts(KEY)
        assert [(head.session_id, head.close_reason) for head in heads] == [(SID, None), (LONG, "import")]
        assert (await store.load_session(KEY)).session_id == SID

    run(open_store, story)


def test_an_import_that_another_one_overtakes_says_so_and_takes_nothing_of_it_away(open_store):
    entries = build_entries()

    async def story(store):
        second = []

        async def overtake():
            if first.writes == 3:
                second.append(await bring(store.engine, entries))

        first = DyingEngine(store.engine, seen=overtake)
        with pytest.raises(Overtaken) as raised:
            await bring(first, entries)
        assert isinstance(raised.value, InvalidRequest)
        assert second == [True]
        assert len((await store.load_all_entries(LONG)).entries) == len(entries)

    run(open_store, story)


def test_the_store_takes_a_long_transcript_in_pieces_and_a_refused_piece_leaves_nothing(open_store):
    async def story(store):
        entries = build_entries()
        pieces = []

        class Refusing(DyingEngine):
            async def write(self, unit, *, purpose="owed"):
                pieces.append(purpose)
                if purpose == "new" and pieces.count("new") == 3:
                    raise StoreError("The disk is full")
                return await self._engine.write(unit, purpose=purpose)

            def on_commit(self, callback):
                pass

        refusing = SessionStore(Refusing(store.engine))
        session = build_imported_session(HEADER, entries, key=KEY, agent_id="main")
        with pytest.raises(StoreError, match="full"):
            await refusing.import_transcript(session, HEADER, entries, now=NOW, decision=build_decision())
        assert pieces.count("new") == 3
        assert await store.engine.read(lambda tx: tx.all("list_staged", {})) == []

    run(open_store, story)
