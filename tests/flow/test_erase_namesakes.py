"""What an erasure says is left of a person is theirs, and no namesake's who came meanwhile (LEAK-11)."""

from __future__ import annotations

import asyncio

import pytest

from instar.core.model.ids import SessionKey
from tests.builders.erasing import CONFIG, Held, begin, erase, lines, still, talk
from tests.builders.people import PeopleWorld, open_people

NAMESAKE = SessionKey("agent:main:chat:direct:al-900")


async def is_answered(world: PeopleWorld) -> bool:
    """Whether the namesake has an answer."""
    return await world.store.load_session(NAMESAKE) is not None and len(await lines(world, NAMESAKE)) == 2


async def erase_beside(world: PeopleWorld, text: str):
    """Erase alice; while her files are looked through, a namesake writes for the first time."""
    held = Held(world.eraser, "_touch")
    erasing = begin(world)
    await held.began.wait()
    await world.gateway.channel("chat").post(text, sender="al-900", name="Alice Moor")
    while not await is_answered(world):  # lanes of the person's sessions wait, so that nothing settles
        await still(0.001)
    await world.mirror.flush()
    held.go_on.set()
    return await erasing


def test_a_namesake_who_comes_meanwhile_is_nothing_that_is_left(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            receipt = await erase_beside(world, "good day from koala-1")
            assert receipt.left == ()
            assert receipt.residue == 0
            assert receipt.common_words == 1
            assert "koala-1" in (await lines(world, NAMESAKE))[0]
            assert world.count("Alice Moor")["instar.db"] > 0
            assert world.count("zebra", "alice-771") == {}

    asyncio.run(story())


def test_what_is_left_of_the_person_is_told_also_beside_a_namesake_who_says_the_same(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            # No text that could be written over: only the search names it.
            (tmp_path / "dump.bin").write_bytes(b"\0 zebra-4471 \0 zebra-4472 \0 alice-771 \0 Alice Moor \0")
            receipt = await erase_beside(world, "I say zebra-4471 too")
            assert [(one.place, one.count) for one in receipt.left] == [("dump.bin", 2)]
            assert receipt.common_words == 2

    asyncio.run(story())


@pytest.mark.parametrize("place", [{}, {"chat_type": "group", "chat_id": "den"}], ids=["direct", "group"])
def test_what_the_person_wrote_anew_makes_no_word_of_theirs_anothers(tmp_path, place):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            (tmp_path / "dump.bin").write_bytes(b"\0 zebra-4471 \0")
            held = Held(world.eraser, "_touch")
            erasing = asyncio.ensure_future(erase(world))  # nobody is kept out: the store alone is asked
            await held.began.wait()
            other = world.gateway.channel("other")
            await other.post("once more zebra-4471", sender="al-772", name="Alice Moor", **place)
            await world.gateway.settle()
            held.go_on.set()
            left = {one.place: one.count for one in (await erasing).left}
            assert left["dump.bin"] == 1

    asyncio.run(story())
