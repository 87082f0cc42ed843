"""The index on its way behind the transcripts: by itself, and in peace with a store that refuses (SEARCH-6)."""

from __future__ import annotations

import apsw
import pytest

from instar.core.model.query import SearchQuery
from instar.errors import StoreFull
from instar.stores.migrate import load_steps
from instar.stores.search_index import SearchIndex, follow_index
from instar.stores.sqlite import SqliteStore, open_memory_store
from instar.stores.sqlite.connection import migrate
from instar.stores.store import SessionStore
from instar.testing.clock import ManualClock
from tests.builders.store import SessionTalk, build_message
from tests.builders.stories import story, until


async def indexed(store):
    """How many messages are in the index now, without bringing it level."""
    return await store.engine.read(lambda tx: tx.one("count_indexed", {})[0])


async def open_store():
    store = open_memory_store()
    await store.open()
    return store


@story
async def test_the_background_follows_once_nobody_writes():
    clock, store = ManualClock(), await open_store()
    async with follow_index(store.search_index, clock=clock):
        await clock.run_for(1)
        await SessionTalk(store).begin(build_message(1, None, "heron"))
        assert await indexed(store) == 0
        await clock.run_for(0.3)
        await SessionTalk(store).append(build_message(2, 1, "heron"))
        await clock.run_for(0.3)
        assert await indexed(store) == 0
        await clock.run_for(0.5)
        await until(lambda: store.search_index.is_level)
        assert await indexed(store) == 2


@story
async def test_it_follows_also_when_somebody_writes_all_the_time():
    clock, store = ManualClock(), await open_store()
    async with follow_index(store.search_index, clock=clock):
        await clock.run_for(1)
        talk = SessionTalk(store)
        await talk.begin(build_message(1, None, "heron"))
        for number in range(2, 14):
            await clock.run_for(0.49)
            await talk.append(build_message(number, number - 1, "heron"))
        assert await indexed(store) >= 10


class Refusing:
    """An engine that will not write for a while."""

    def __init__(self, engine):
        self.engine = engine
        self.refuses = True

    def __getattr__(self, name):
        return getattr(self.engine, name)

    async def write(self, unit, *, purpose="owed"):
        if self.refuses:
            raise StoreFull("the disk is full")
        return await self.engine.write(unit, purpose=purpose)


@story
async def test_a_full_disk_makes_the_index_late_and_loses_nothing_of_it():
    inner = await open_store()
    await SessionTalk(inner).begin(build_message(1, None, "heron"))
    refusing = Refusing(inner.engine)
    store = SessionStore(refusing)
    page = await store.search(SearchQuery(text="heron"))
    assert (page.hits, page.indexing) == ((), True)
    clock = ManualClock()
    async with follow_index(store.search_index, clock=clock):
        await clock.run_for(1)
        assert not store.search_index.is_level
        refusing.refuses = False
        await clock.run_for(5)
        await until(lambda: store.search_index.is_level)
    page = await store.search(SearchQuery(text="heron"))
    assert (len(page.hits), page.indexing) == (1, False)


@story
async def test_a_step_that_fails_takes_its_transcripts_up_again():
    inner = await open_store()
    refusing = Refusing(inner.engine)
    refusing.refuses = False
    index = SearchIndex(refusing)
    while not await index.catch_up(steps=1):
        pass
    await SessionTalk(inner).begin(build_message(1, None, "heron"))
    refusing.refuses = True
    with pytest.raises(StoreFull):
        await index.catch_up()
    refusing.refuses = False
    assert await index.catch_up()
    assert await indexed(inner) == 1


@story
async def test_a_store_from_before_there_was_an_index_is_searched_too(tmp_path):
    path = tmp_path / "old.db"
    connection = apsw.Connection(str(path))
    migrate(connection, load_steps("sqlite")[:1])
    connection.execute(
        "INSERT INTO sessions VALUES (1, 'agent:main:main', 'main', 's1', 'direct', NULL, NULL, NULL, '', 0, 0, 5,"
        """ '{"key": "agent:main:main", "agent_id": "main", "session_id": "s1"}');"""
        "INSERT INTO transcripts VALUES (1, 's1', 'agent:main:main',"
        """ '{"type": "session", "version": 3, "id": "s1", "timestamp": null, "cwd": ""}',"""
        " 5, NULL, NULL, 1, 1, NULL);"
        "INSERT INTO entries (transcript, seq, id, parent_seq, type, at, tokens, messages, bytes, line)"
        " VALUES (1, 1, 'a', NULL, 'message', 5, 1, 1, 9,"
        """ '{"type": "message", "id": "a", "parentId": null, "timestamp": "2026-03-10T12:00:00.000Z","""
        """ "message": {"role": "user", "content": "an old heron", "timestamp": 5}}');"""
    )
    connection.close()
    store = SqliteStore(path, reserve_bytes=0)
    await store.open()
    page = await store.search(SearchQuery(text="heron"))
    assert [hit.text for hit in page.hits] == ["an old heron"]
    await store.close()
