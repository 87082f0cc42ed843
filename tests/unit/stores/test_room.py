"""Room that deletions free goes back to the disk (MAINT-16)."""

from __future__ import annotations

import asyncio

from tests.builders.store import NOW, SessionTalk, build_message, file_store


def pages(store):
    """How many pages the file has."""
    return store.engine._committer._connection.pragma("page_count")


def test_what_a_deletion_freed_goes_back_to_the_disk_and_the_rest_is_whole(tmp_path):
    async def scenario():
        path = tmp_path / "instar.db"
        async with file_store(path)() as store:
            kept, gone = SessionTalk(store), SessionTalk(store, "agent:main:b", "b")
            for talk in (gone, kept):
                await talk.begin()
                for number in range(1, 300):
                    await talk.append(build_message(number, number - 1 or None, text="word " * 2_000))
            before = pages(store)
            assert await store.give_back() == 0
            await store.delete_session(gone.key, now=NOW, decisions=())
            given = await store.give_back()
            assert given > 1024 * 1024
            assert (before - pages(store)) * 4096 == given
            assert await store.give_back() == 0
            assert await kept.numbers() == list(range(1, 300))

    asyncio.run(scenario())
