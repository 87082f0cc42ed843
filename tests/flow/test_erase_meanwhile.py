"""What somebody writes while they are erased is in before, or stored after it, and never goes with it (LOSS-1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from instar.core.model.change import Acknowledgement, Submission
from instar.core.model.ids import AccountId, ChannelName, SessionKey
from instar.core.model.message import Chat, Inbound, Sender
from instar.errors import NotFound, Unavailable
from instar.gateway.people import GO_ON_S
from tests.builders.erasing import (
    BOB,
    CONFIG,
    GROUP,
    OWN,
    Held,
    begin,
    both_sides,
    cut_world,
    held_erasure,
    lines,
    nothing,
    post,
    still,
    talk,
)
from tests.builders.people import PeopleWorld, open_people
from tests.builders.stories import story

ANEW = "anew, koala-1"


def write(world: PeopleWorld, where: str) -> asyncio.Task[Acknowledgement]:
    """Begin to write as alice, in one place or another."""
    chat, other = world.gateway.channel("chat"), world.gateway.channel("other")
    call = Inbound(
        channel=ChannelName("webchat"),
        account_id=AccountId("default"),
        message_id="run-1",
        chat=Chat(type="direct", id="operator"),
        sender=Sender(id="operator"),
        text=ANEW,
    )
    ways: dict[str, Callable[[], object]] = {
        "direct": lambda: chat.post(ANEW, sender="alice-771", name="Alice Moor"),
        "linked": lambda: other.post(ANEW, sender="al-772", name="Ali Moor"),
        "new group": lambda: other.post(ANEW, sender="al-772", name="Ali Moor", chat_type="group", chat_id="den"),
        "client": lambda: world.gateway.gateway.submit(Submission(inbound=call, session_key=OWN, may_command=True)),
    }
    return asyncio.ensure_future(ways[where]())  # type: ignore[arg-type] # each gives an awaitable


async def said_anew(world: PeopleWorld, key: SessionKey) -> bool:
    """Whether the session holds what was written meanwhile and its answer, and nothing else."""
    await world.gateway.settle()
    held = await lines(world, key)
    return len(held) == 2 and "koala-1" in held[0]


@pytest.mark.parametrize(
    ("where", "key"),
    [
        ("direct", OWN),
        ("linked", OWN),
        ("client", OWN),
        ("new group", SessionKey("agent:main:other:group:den")),
    ],
)
@pytest.mark.parametrize("step", ["find", "erase", "_carry_out"])
@story
async def test_it_waits_at_the_door_wherever_it_is_written_and_begins_anew(tmp_path, where, key, step):
    async with held_erasure(tmp_path, step, before=both_sides) as erasure:
        world = erasure.world
        writing = write(world, where)
        await erasure.keeps(writing)
        assert (await erasure.end()).residue == 0
        told = await writing
        assert told.status == "accepted"
        assert await said_anew(world, key)
        assert world.count("zebra") == {}
        assert "panda-9002" in (await lines(world, GROUP))[-2]


@story
async def test_the_first_words_of_somebody_of_whom_nothing_is_held_are_kept(tmp_path):
    async with held_erasure(tmp_path, "find", before=nothing) as erasure:
        writing = write(erasure.world, "direct")
        await still()
        with pytest.raises(NotFound, match="Nothing is held about alice"):
            await erasure.end()
        assert (await writing).status == "accepted"
        assert await said_anew(erasure.world, OWN)


@story
async def test_what_stands_in_the_door_is_in_and_goes_with_the_rest(tmp_path):
    async with open_people(tmp_path, CONFIG) as world:
        await talk(world)
        held = Held(world.store, "accept")
        writing = write(world, "new group")
        await held.began.wait()
        erasing = begin(world)
        await still()
        assert not erasing.done()
        held.go_on.set()
        told, receipt = await writing, await erasing
        assert (told.status, receipt.residue) == ("accepted", 0)
        assert await world.store.load_inbox(inbound_ids=[told.inbound_id], limit=1) == ()


@story
async def test_everybody_else_is_heard_meanwhile(tmp_path):
    async with held_erasure(tmp_path) as erasure:
        world = erasure.world
        await world.gateway.channel("chat").post("panda-9010", sender="bob-88", name="Bob")
        async with asyncio.timeout(20):
            while "panda-9010" not in (await lines(world, BOB))[-1]:
                await still(0.001)
        assert not erasure.erasing.done()
        await erasure.end()


@story
async def test_whoever_waits_too_long_is_asked_to_send_it_again(tmp_path):
    async with held_erasure(tmp_path) as erasure:
        with pytest.raises(Unavailable, match="is being deleted at this moment") as told:
            await erasure.wait_too_long(write(erasure.world, "direct"))
        assert told.value.retry_after_ms is not None
        await erasure.end()
        await write(erasure.world, "direct")
        assert await said_anew(erasure.world, OWN)


# --- erasures that are cut --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["_erase_rows", "_touch", "_search"])
@story
async def test_one_that_was_cut_goes_on_by_itself_and_lets_them_in_then(tmp_path, step):
    async with cut_world(tmp_path, step) as world:
        await post(world, "bob", "panda-9010")
        await world.gateway.run_for(GO_ON_S + 1)
        async with asyncio.timeout(20):
            while await world.eraser.list_cut():
                await still(0.001)
        await write(world, "direct")
        assert await said_anew(world, OWN)
        assert world.count("zebra") == {}
        # Nothing is left that the next start would go on with.
        assert await world.eraser.resume() == ()
        assert await said_anew(world, OWN)


@story
async def test_asked_for_again_it_takes_over_what_the_first_had_noted(tmp_path):
    async with cut_world(tmp_path, "_search") as world:
        receipt = await begin(world)
        assert (receipt.residue, receipt.counts["sessions"]) == (0, 1)
        await write(world, "direct")
        assert await said_anew(world, OWN)
        assert await world.eraser.resume() == ()
        await world.gateway.run_for(GO_ON_S + 1)
        assert await said_anew(world, OWN)


@story
async def test_a_start_that_could_not_finish_it_keeps_them_out_as_well(tmp_path):
    async with cut_world(tmp_path) as world:
        await world.gateway.restart()
        with pytest.raises(Unavailable, match="could not be finished yet"):
            await write(world, "linked")
        await world.gateway.gateway.people.erase("chat:alice-771", drop_backups=False, who="operator")
        await write(world, "linked")
        assert await said_anew(world, OWN)
