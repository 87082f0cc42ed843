"""A person is erased while the gateway works: what runs for them stops first, and who comes later is a stranger."""

from __future__ import annotations

import asyncio

import pytest

from instar.core.model.caller import Caller
from instar.core.model.event import TokenRevoked
from instar.core.policy.scopes import OWNER_SCOPES
from instar.core.policy.tokens import TokenWish
from instar.errors import InvalidRequest, NotFound
from instar.gateway.lane_mailbox import IDLE_S
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import ScriptedRunner
from instar.testing.script import Reply, echo_script
from tests.builders.erasing import BOB, CONFIG, GROUP, OWN, TRACES, lines, post, talk
from tests.builders.people import open_people
from tests.builders.stories import DIRECT, Gate, Listener, build_config, then
from tests.builders.stories import story as story_of

OWNER = Caller(scopes=OWNER_SCOPES)


def test_a_turn_that_runs_for_them_is_stopped_and_writes_nothing_any_more(tmp_path):
    gate = Gate()

    async def story() -> None:
        script = then(lambda _: Reply(text="zebra-4471 is your code", before_chunk=gate), echo_script)
        async with open_people(tmp_path, CONFIG, runner=ScriptedRunner(script)) as world:
            chat = world.gateway.channel("chat")
            await chat.post("my code is zebra-4471", sender="alice-771", name="Alice Moor")
            await gate.reached.wait()
            receipt = await world.gateway.gateway.people.erase("alice", drop_backups=False, who="operator")
            gate.open()
            await world.gateway.settle()
            await world.mirror.flush()
            assert [(one.place, one.count) for one in receipt.left] == []
            assert world.count(*TRACES) == {}
            assert await world.store.load_session(OWN) is None

    asyncio.run(story())


def test_what_they_write_meanwhile_waits_at_the_door_and_begins_anew(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            people, chat = world.gateway.gateway.people, world.gateway.channel("chat")
            began, go_on = asyncio.Event(), asyncio.Event()
            erase = world.eraser.erase

            async def held(*args, **wish):
                began.set()
                await go_on.wait()
                return await erase(*args, **wish)

            world.eraser.erase = held  # type: ignore[method-assign]
            erasing = asyncio.create_task(people.erase("alice", drop_backups=False, who="operator"))
            await began.wait()
            writing = asyncio.create_task(chat.post("anew, koala-1", sender="alice-771", name="Alice Moor"))
            await asyncio.sleep(0.05)
            assert not writing.done()
            go_on.set()
            receipt = await erasing
            await writing
            await world.gateway.settle()
            assert receipt.residue == 0
            anew = await lines(world, OWN)
            assert len(anew) == 2
            assert "koala-1" in anew[0]
            assert world.count("zebra") == {}
            await post(world, "bob", "and panda-9005", group="room-1")
            assert "panda-9005" in (await lines(world, GROUP))[-2]

    asyncio.run(story())


def test_the_context_that_a_lane_kept_warm_is_forgotten(tmp_path):
    asked = []

    def script(one):
        asked.append(str(one))
        return echo_script(one)

    async def story() -> None:
        async with open_people(tmp_path, CONFIG, runner=ScriptedRunner(script)) as world:
            await talk(world)
            assert any("zebra" in each for each in asked)
            await world.gateway.gateway.people.erase("alice", drop_backups=False, who="operator")
            asked.clear()
            await post(world, "bob", "who was here? panda-9006", group="room-1")
            (request,) = asked
            assert "zebra" not in request
            assert "panda-9002" in request
            assert await world.store.load_session(BOB) is not None

    asyncio.run(story())


def test_their_tokens_end_and_clients_hear_of_it(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            gateway = world.gateway.gateway
            listener = Listener(world.gateway)
            token, text = await gateway.tokens.create(
                TokenWish(principal="alice", scopes=("operator.read",)), maker=OWNER
            )
            other, _ = await gateway.tokens.create(TokenWish(principal="bob", scopes=("operator.read",)), maker=OWNER)
            await gateway.people.erase("alice", drop_backups=False, who="operator")
            assert TokenRevoked(token_id=token.id) in listener.events
            assert [each.id for each in await gateway.tokens.list()] == [other.id]
            assert await gateway.tokens.find(text) is None

    asyncio.run(story())


def test_nobody_and_nothing_are_refused(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            people = world.gateway.gateway.people
            with pytest.raises(NotFound, match="Nothing is held about chat:nobody"):
                await people.erase("chat:nobody", drop_backups=False, who="operator")
            with pytest.raises(InvalidRequest, match="A person has an id"):
                await people.plan(" ")
            assert await people.list(limit=10) == ()

    asyncio.run(story())


def test_everybody_is_listed_once_with_all_ids_and_what_they_wrote(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            rows = {row.id: row for row in await world.gateway.gateway.people.list(limit=10)}
            assert sorted(rows) == ["alice", "chat:bob-88"]
            assert rows["alice"].ids == ("chat:alice-771", "other:al-772")
            assert rows["alice"].names == ("Ali Moor", "Alice Moor")
            assert (rows["alice"].messages, rows["alice"].sessions) == (4, 3)
            assert len(await world.gateway.gateway.people.list(limit=1)) == 1

    asyncio.run(story())


@pytest.mark.parametrize("turns", range(10))
def test_an_erasure_that_comes_just_as_an_idle_lane_goes_does_not_wait_for_it(turns):
    @story_of
    async def play():
        async with GatewayInMemory(build_config()) as world:
            await world.channel("telegram").post("hello", sender="ann")
            await world.settle()
            world.clock.advance(IDLE_S + 1)
            # The lane wakes, and goes a few turns of the loop later; one of these tries meets it in between.
            for _ in range(turns):
                await asyncio.sleep(0)

            async def hold():
                async with world.gateway.people._hold(DIRECT):
                    assert not world.gateway.lanes.get(DIRECT).is_idle

            done, waiting = await asyncio.wait({asyncio.create_task(hold())}, timeout=30)
            assert not waiting
            await done.pop()

    play()
