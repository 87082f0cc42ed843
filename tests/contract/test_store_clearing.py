"""A large session is deleted at once for everybody, and its lines go piece by piece (LOSS-4, LOSS-8)."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from instar.core.model.entry import Header
from instar.core.model.ids import SessionId
from instar.core.model.query import SearchQuery, SessionQuery
from instar.core.turn.imported import build_imported_session
from instar.errors import NotFound, StoreError
from instar.stores.clearing import clear_in_background
from instar.stores.store import SessionStore
from instar.stores.transcripts import WHOLE_ENTRIES
from instar.testing.clock import ManualClock
from tests.builders.engines import Cut
from tests.builders.store import KEY, NOW, SID, build_decision, build_message

LINES = WHOLE_ENTRIES * 6
HEADER = Header(id=SID, timestamp=NOW)


class WatchedEngine:
    """An engine that tells of each write, and dies or refuses at write number `at` after the session is gone."""

    def __init__(self, engine, *, at=None, error=Cut):
        self._engine = engine
        self._at = at
        self._error = error
        self.seen = []

    def __getattr__(self, name):
        return getattr(self._engine, name)

    async def write(self, unit, *, purpose="owed"):
        if self._at is not None and len(self.seen) > self._at:
            raise self._error("here")
        before = await count_lines(self._engine)
        value = await self._engine.write(unit, purpose=purpose)
        if self.seen or await self._engine.read(lambda tx: tx.one("load_session", {"key": KEY})) is None:
            self.seen.append(before - await count_lines(self._engine))
        return value


async def count_lines(engine):
    """How many lines stand there at one moment: of one snapshot, since a transcript may go between two."""

    def count(tx):
        rows = tx.all("walk_transcripts", {"after": 0, "limit": 1_000_000})
        return sum(tx.one("load_transcript", {"session_id": row[1]})[9] or 0 for row in rows)

    return await engine.read(count)


async def fill(store, *, count=LINES, header=HEADER):
    entries = [build_message(at, at - 1 if at else None, f"word{at}") for at in range(count)]
    session = build_imported_session(header, entries, key=KEY, agent_id="main")
    assert await store.import_transcript(session, header, entries, now=NOW, decision=build_decision())
    return session, entries


async def delete(engine):
    return await SessionStore(engine).delete_session(KEY, now=NOW, decisions=[build_decision()])


async def assert_gone(store):
    assert await store.load_session(KEY) is None
    assert await store.load_transcripts(KEY) == ()
    assert (await store.list_sessions(SessionQuery(limit=10))).sessions == ()
    for prefix in (SID[:8], "removed:", "staged:"):
        assert await store.find_sessions(session_id_prefix=prefix) == ()
    with pytest.raises(NotFound):
        await store.load_all_entries(SID)
    assert (await store.search(SearchQuery(text="word7"))).hits == ()


def run(open_store, story):
    async def opened():
        async with open_store() as store:
            return await story(store)

    return asyncio.run(opened())


def test_no_write_of_a_large_deletion_takes_many_lines_and_none_is_left(open_store):
    async def story(store):
        await fill(store)
        engine = WatchedEngine(store.engine)
        assert await delete(engine)
        assert sum(engine.seen) == LINES
        assert max(engine.seen) <= 500
        assert await store.engine.read(lambda tx: tx.all("list_staged", {})) == []
        await assert_gone(store)
        assert not await delete(store.engine)

    run(open_store, story)


def test_many_short_lives_of_one_session_do_not_go_in_one_write(open_store):
    async def story(store):
        for number in range(8):
            await fill(store, count=WHOLE_ENTRIES - 50, header=Header(id=SessionId(f"life{number}"), timestamp=NOW))
        engine = WatchedEngine(store.engine)
        assert await delete(engine)
        assert sum(engine.seen) == 8 * (WHOLE_ENTRIES - 50)
        assert max(engine.seen) <= 500
        await assert_gone(store)

    run(open_store, story)


@pytest.mark.parametrize("at", range(4))
def test_who_dies_while_the_lines_go_leaves_nothing_to_see_and_the_next_start_takes_them(open_store, at):
    async def die(store):
        await fill(store)
        with pytest.raises(Cut):
            await delete(WatchedEngine(store.engine, at=at))
        assert await store.engine.read(lambda tx: tx.all("list_staged", {})) != []
        await assert_gone(store)

    async def rise(store):
        await assert_gone(store)
        await store.recover(NOW)
        assert await count_lines(store.engine) == 0
        assert await store.engine.read(lambda tx: tx.all("list_staged", {})) == []
        await assert_gone(store)

    run(open_store, die)
    run(open_store, rise)


def test_a_deletion_comes_to_its_end_while_the_index_is_made(open_store):
    async def story(store):
        await fill(store)

        class Followed(WatchedEngine):
            writes = 0

            async def write(self, unit, *, purpose="owed"):
                self.writes += 1
                assert self.writes < LINES / 10, "whoever makes the index puts back what is taken out"
                value = await super().write(unit, purpose=purpose)
                await store.search_index.catch_up(steps=1)
                return value

        await store.search_index.catch_up(steps=3)
        assert await delete(Followed(store.engine))
        assert await count_lines(store.engine) == 0

    run(open_store, story)


@pytest.mark.parametrize("keep", [False, True])
def test_a_search_finds_nothing_of_it_while_its_words_are_still_in_the_index(open_store, keep):
    async def story(store):
        await fill(store)
        while not await store.search_index.catch_up():
            pass
        async with clear_in_background(store.clearing, clock=ManualClock()):
            assert await store.delete_session(KEY, now=NOW, decisions=[], keep_transcripts=keep)
            assert await count_lines(store.engine) == LINES, "the rest waits for the clock"
            other = Header(id=SessionId("99999999-2222-4222-8222-222222222222"), timestamp=NOW)
            again = build_imported_session(other, [], key=KEY, agent_id="main")
            await store.import_transcript(again, other, [], now=NOW, decision=build_decision())
            assert (await store.search(SearchQuery(text="word7"))).hits == ()
        await store.recover(NOW)
        assert await count_lines(store.engine) == (LINES if keep else 0)
        if not store.search_index.is_off:
            assert await store.engine.read(lambda tx: tx.one("count_indexed", {})) == (0,)

    run(open_store, story)


def test_a_gateway_answers_a_deletion_at_once_and_takes_the_lines_in_the_background(open_store):
    async def story(store):
        await fill(store)
        clock = ManualClock(auto_advance_s=0)
        async with clear_in_background(store.clearing, clock=clock):
            assert await store.delete_session(KEY, now=NOW, decisions=[])
            await assert_gone(store)
            while await count_lines(store.engine):
                await clock.sleep(1)

    run(open_store, story)


def test_the_key_and_the_transcript_can_be_used_again_while_the_lines_go(open_store):
    async def story(store):
        session, entries = await fill(store)
        with pytest.raises(Cut):
            await delete(WatchedEngine(store.engine, at=1))
        assert await store.import_transcript(session, HEADER, entries, now=NOW, decision=build_decision())
        await store.recover(NOW)
        page = await store.load_all_entries(SID)
        assert [stored.entry for stored in page.entries] == entries
        assert [head.session_id for head in await store.load_transcripts(KEY)] == [SID]
        assert await count_lines(store.engine) == LINES

    run(open_store, story)


def test_a_deletion_of_which_lines_cannot_be_taken_now_is_done_all_the_same(open_store):
    async def story(store):
        await fill(store)
        with capture_logs() as logs:
            assert await delete(WatchedEngine(store.engine, at=1, error=StoreError))
        assert [line["event"] for line in logs] == ["lines_not_cleared"]
        await assert_gone(store)
        await store.recover(NOW)
        assert await count_lines(store.engine) == 0

    run(open_store, story)


def test_what_is_kept_of_a_deleted_session_stays_whole(open_store):
    async def story(store):
        _, entries = await fill(store)
        assert await store.delete_session(KEY, now=NOW, decisions=[], keep_transcripts=True)
        page = await store.load_all_entries(SID)
        assert [stored.entry for stored in page.entries] == entries
        assert page.head.close_reason == "delete"

    run(open_store, story)
