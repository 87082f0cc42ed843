"""A shared session that was put back under another key loses the words of whoever is erased afterwards (LEAK-11)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from instar.core.context.erasing import WORDS_ERASED
from instar.core.model.ids import SessionKey
from instar.core.model.view import NewSession
from instar.stores.archive import read_archive
from tests.builders.erasing import CONFIG, GROUP, erase, lines, post
from tests.builders.people import PeopleWorld, open_people

COPY = SessionKey("agent:main:dashboard:copy")
FORK = SessionKey("agent:main:dashboard:fork")
THREAD = SessionKey("agent:main:main:thread:7")
WHO = "operator"


async def both(world: PeopleWorld, key: SessionKey = GROUP) -> None:
    """Alice and Bob in one session, each at a moment of their own."""
    place = {"chat_type": "group", "chat_id": "room-1"} if key == GROUP else {"thread_id": "7"}
    for text in ("good day from zebra-4472", "and panda-9002", "bye, zebra-4475"):
        sender, name = ("bob-88", "Bob") if "panda" in text else ("alice-771", "Alice Moor")
        await world.gateway.channel("chat").post(text, sender=sender, name=name, **place)
        await world.gateway.settle()
        await world.gateway.run_for(1)


async def delete(world: PeopleWorld, key: SessionKey) -> Path:
    """Delete a session; its archive."""
    deleted = await world.gateway.gateway.sessions.delete(key, delete_transcript=True, who=WHO)
    (path,) = deleted.archived
    return Path(path)


@pytest.mark.parametrize("way", ["restore", "import", "import without archive"])
@pytest.mark.parametrize("key", [GROUP, THREAD])
def test_who_is_erased_leaves_what_was_put_back_under_another_key(tmp_path, key, way):
    config = {**CONFIG, "session": {**CONFIG["session"], "dmScope": "main"}}

    async def story() -> None:
        async with open_people(tmp_path, config) as world:
            await both(world, key)
            keeping, path = world.gateway.gateway.keeping, await delete(world, key)
            if way == "restore":
                await keeping.restore(COPY, str(path), who=WHO)
            else:
                text = "".join(f"{line}\n" for line in read_archive(path))
                await keeping.import_transcript(text.encode(), name="copy.jsonl", key=COPY)
            if way == "import without archive":
                path.unlink()
            assert "zebra-4472" in (await lines(world, COPY))[0]
            receipt = await erase(world)
            assert (receipt.residue, receipt.left) == (0, ())
            said = await lines(world, COPY)
            assert [WORDS_ERASED in line for line in said] == [True, False, False, False, True, False]
            assert "panda-9002" in said[2]
            await world.mirror.flush()
            assert world.count("zebra", "Alice Moor") == {}

    asyncio.run(story())


def test_a_fork_of_what_was_put_back_loses_them_too(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await both(world)
            gateway = world.gateway.gateway
            await gateway.keeping.restore(COPY, str(await delete(world, GROUP)), who=WHO)
            await gateway.sessions.create(NewSession(key=FORK, parent_key=COPY, fork=True), who=WHO)
            receipt = await erase(world)
            assert (receipt.residue, receipt.left) == (0, ())
            for key in (COPY, FORK):
                assert [WORDS_ERASED in line for line in await lines(world, key)][0::2] == [True, False, True]
            await world.mirror.flush()
            assert world.count("zebra", "Alice Moor") == {}

    asyncio.run(story())


def test_the_gateway_holds_still_what_was_put_back(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await both(world)
            gateway = world.gateway.gateway
            await gateway.keeping.restore(COPY, str(await delete(world, GROUP)), who=WHO)
            receipt = await gateway.people.erase("alice", drop_backups=False, who=WHO)
            assert (receipt.residue, receipt.left) == (0, ())
            await post(world, "bob", "panda-9003", group="room-1")
            assert "panda-9002" in " ".join(await lines(world, COPY))

    asyncio.run(story())


@pytest.mark.parametrize("is_deleted", [True, False])
def test_somebody_who_wrote_elsewhere_in_the_same_moment_keeps_their_words_where_they_were_put(tmp_path, is_deleted):
    bob = SessionKey("agent:main:chat:direct:bob-88")

    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await post(world, "alice", "my code is zebra-4471")
            await post(world, "bob", "my code is panda-9001")
            if is_deleted:
                await world.gateway.gateway.sessions.delete(
                    SessionKey("agent:main:direct:alice"), delete_transcript=False, who=WHO
                )
            await world.gateway.gateway.keeping.restore(COPY, str(await delete(world, bob)), who=WHO)
            receipt = await erase(world)
            assert receipt.residue == 0
            assert "panda-9001" in (await lines(world, COPY))[0]

    asyncio.run(story())


@pytest.mark.parametrize("is_first_gone", [True, False])
def test_archives_of_what_was_put_back_lose_them(tmp_path, is_first_gone):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await both(world)
            first = await delete(world, GROUP)
            await world.gateway.gateway.keeping.restore(COPY, str(first), who=WHO)
            if is_first_gone:
                first.unlink()
            copy = await delete(world, COPY)
            receipt = await world.gateway.gateway.people.erase("alice", drop_backups=False, who=WHO)
            assert (receipt.residue, receipt.left) == (0, ())
            said = [line for line in read_archive(copy) if '"role":"user"' in line]
            assert [WORDS_ERASED in line for line in said] == [True, False, True]
            assert world.count("zebra", "Alice Moor") == {}

    asyncio.run(story())


def test_a_fork_of_a_deleted_session_loses_them_also_where_others_wrote_at_that_moment(tmp_path):
    own, bob = SessionKey("agent:main:direct:alice"), SessionKey("agent:main:chat:direct:bob-88")

    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            gateway = world.gateway.gateway
            await post(world, "alice", "my code is zebra-4471")
            await post(world, "bob", "my code is panda-9001")
            await gateway.sessions.create(NewSession(key=FORK, parent_key=own, fork=True), who=WHO)
            for key in (own, bob):
                await delete(world, key)
            receipt = await gateway.people.erase("alice", drop_backups=False, who=WHO)
            assert (receipt.residue, receipt.left) == (0, ())
            assert "zebra" not in " ".join(await lines(world, FORK))
            await world.mirror.flush()
            assert world.count("zebra") == {}
            assert world.count("panda-9001")

    asyncio.run(story())
