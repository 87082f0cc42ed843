"""What clients ask for in sessions of somebody who is being erased comes before it, or waits for its end (LEAK-11).

A client names a session by its key, which may name the person, and may bring back what it has read a moment before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from instar.core.model.ids import SessionKey
from instar.core.model.view import NewSession
from instar.errors import NotFound, Unavailable
from instar.gateway.doors import DOOR_WAIT_S
from instar.gateway.gateway import Gateway
from tests.builders.people import PeopleWorld, open_people
from tests.builders.stories import until
from tests.flow.test_erase_a_person import BOB, CONFIG, GROUP, OWN, TRACES, lines, post, talk
from tests.flow.test_erase_meanwhile import Held, begin, cut_world, still

WHO = "operator"
COPY = SessionKey("agent:main:dashboard:copy")
CHILD = SessionKey("agent:main:subagent:child")
TRANSCRIPT = (
    b'{"type":"session","version":3,"id":"33333333-3333-4333-8333-333333333333","timestamp":"2099-01-01T00:00:00.000Z"}\n'
    b'{"type":"message","id":"m1","parentId":null,"timestamp":"2099-01-01T00:00:01.000Z",'
    b'"message":{"role":"user","content":"koala"}}\n'
)

WAYS: dict[str, Callable[[Gateway], Awaitable[object]]] = {
    "create": lambda gateway: gateway.sessions.create(NewSession(key=OWN), who=WHO),
    "create as theirs": lambda gateway: gateway.sessions.create(NewSession(key=COPY, owner="alice"), who=WHO),
    "create below theirs": lambda gateway: gateway.sessions.create(NewSession(key=COPY, parent_key=OWN), who=WHO),
    "patch": lambda gateway: gateway.sessions.patch(OWN, {"thinkingLevel": "high"}, who=WHO),
    "adopt": lambda gateway: gateway.sessions.patch(CHILD, {"spawnedBy": OWN}, who=WHO),
    "reset": lambda gateway: gateway.sessions.reset(OWN, reason="new", who=WHO),
    "import": lambda gateway: gateway.keeping.import_transcript(TRANSCRIPT, name="one.jsonl", key=OWN),
}
"""What leaves a session that names alice, also where there was none."""

NEEDING: dict[str, Callable[[Gateway], Awaitable[object]]] = {
    "inject": lambda gateway: gateway.sessions.inject(OWN, "A line.", label=None, who=WHO),
    "resume": lambda gateway: gateway.upkeep.resume(OWN, "", who=WHO),
    "restore": lambda gateway: gateway.keeping.restore(OWN, None, who=WHO),
    "fork": lambda gateway: gateway.sessions.create(NewSession(key=COPY, parent_key=OWN, fork=True), who=WHO),
}
"""What needs something that is hers."""


def ask(world: PeopleWorld, way: Callable[[Gateway], Awaitable[object]]) -> asyncio.Task[object]:
    """Begin to ask the gateway for something."""
    return asyncio.ensure_future(way(world.gateway.gateway))  # type: ignore[arg-type] # each gives an awaitable


async def both_sides(world: PeopleWorld) -> None:
    """Alice and Bob in a group: no session of hers is known, so none of hers is shut."""
    await post(world, "alice", "good day from zebra-4472", group="room-1")
    await post(world, "bob", "and panda-9002", group="room-1")


@pytest.mark.parametrize("step", ["find", "erase", "_carry_out", "_touch"])
@pytest.mark.parametrize("way", WAYS)
def test_it_waits_until_the_erasure_is_through(tmp_path, way, step):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await both_sides(world)
            held = Held(world, step)
            erasing = begin(world)
            await held.began.wait()
            asking = ask(world, WAYS[way])
            await still()
            assert not asking.done()
            held.go_on.set()
            receipt = await erasing
            assert (receipt.residue, receipt.left) == (0, ())
            await asking
            assert world.count("zebra", "Alice Moor") == {}

    asyncio.run(story())


@pytest.mark.parametrize("way", NEEDING)
def test_what_needs_their_session_finds_none_then(tmp_path, way):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            await world.gateway.gateway.sessions.reset(OWN, reason="new", who=WHO)
            held = Held(world, "_carry_out")
            erasing = begin(world)
            await held.began.wait()
            asking = ask(world, NEEDING[way])
            await still()
            assert not asking.done()
            held.go_on.set()
            receipt = await erasing
            assert (receipt.residue, receipt.left) == (0, ())
            with pytest.raises(NotFound):
                await asking
            await world.mirror.flush()
            assert world.count(*TRACES, str(OWN)) == {}

    asyncio.run(story())


@pytest.mark.parametrize("step", ["find", "erase", "_carry_out"])
def test_a_copy_of_a_shared_session_is_made_of_what_is_left(tmp_path, step):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await both_sides(world)
            held = Held(world, step)
            erasing = begin(world)
            await held.began.wait()
            fork = NewSession(key=COPY, parent_key=GROUP, fork=True)
            asking = ask(world, lambda gateway: gateway.sessions.create(fork, who=WHO))
            await still()
            held.go_on.set()
            assert (await erasing).residue == 0
            await asking
            await world.mirror.flush()
            assert "panda-9002" in " ".join(await lines(world, COPY))
            assert world.count("zebra", "Alice Moor") == {}

    asyncio.run(story())


@pytest.mark.parametrize("way", ["fork", "restore", "restore a file"])
def test_what_a_client_has_read_already_goes_with_the_rest(tmp_path, way):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            gateway = world.gateway.gateway
            await both_sides(world)
            fork = NewSession(key=COPY, parent_key=GROUP, fork=True)
            path = ""
            if way != "fork":
                deleted = await gateway.sessions.delete(GROUP, delete_transcript=True, who=WHO)
                (path,) = deleted.archived
            ways: dict[str, Callable[[Gateway], Awaitable[object]]] = {
                "fork": lambda gateway: gateway.sessions.create(fork, who=WHO),
                "restore": lambda gateway: gateway.keeping.restore(GROUP, None, who=WHO),
                "restore a file": lambda gateway: gateway.keeping.restore(None, path, who=WHO),
            }
            step = "change" if way == "fork" else "import_transcript"
            began, go_on = asyncio.Event(), asyncio.Event()
            sound = getattr(world.store, step)

            async def slow(*args, **wish):
                began.set()
                await go_on.wait()
                return await sound(*args, **wish)

            setattr(world.store, step, slow)
            asking = ask(world, ways[way])
            await began.wait()
            setattr(world.store, step, sound)
            erasing = begin(world)
            await still(0.2)
            assert not erasing.done()
            go_on.set()
            await asking
            assert (await erasing).residue == 0
            await world.mirror.flush()
            assert world.count("zebra", "Alice Moor") == {}
            assert world.count("panda-9002")

    asyncio.run(story())


def test_what_is_asked_for_in_sessions_of_others_is_done_meanwhile(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            held = Held(world, "_carry_out")
            erasing = begin(world)
            await held.began.wait()
            async with asyncio.timeout(20):
                view = await world.gateway.gateway.sessions.patch(BOB, {"thinkingLevel": "high"}, who=WHO)
            assert view.session.overrides.thinking_level == "high"
            assert not erasing.done()
            held.go_on.set()
            await erasing

    asyncio.run(story())


def test_whoever_waits_too_long_is_told_to_try_again(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            held = Held(world, "_carry_out")
            erasing = begin(world)
            await held.began.wait()
            waiting = world.gateway.clock.sleepers
            asking = ask(world, WAYS["create"])
            await until(lambda: world.gateway.clock.sleepers > waiting)
            await world.gateway.run_for(DOOR_WAIT_S + 1)
            with pytest.raises(Unavailable, match="is being deleted at this moment") as told:
                await asking
            assert told.value.what == "The session was not changed"
            assert told.value.retry_after_ms is not None
            held.go_on.set()
            await erasing
            assert await world.store.load_session(OWN) is None

    asyncio.run(story())


@pytest.mark.parametrize("way", WAYS)
def test_while_an_erasure_is_cut_nothing_of_theirs_begins(tmp_path, way):
    async def story() -> None:
        async with cut_world(tmp_path) as world:
            with pytest.raises(Unavailable, match="could not be finished yet"):
                await WAYS[way](world.gateway.gateway)
            assert await world.store.load_session(OWN) is None

    asyncio.run(story())


def test_a_copy_of_what_is_held_is_made_before_or_after(tmp_path):
    async def story() -> None:
        async with open_people(tmp_path, CONFIG) as world:
            await talk(world)
            held = Held(world, "export")
            exporting = ask(world, lambda gateway: gateway.people.export("alice", name="copy"))
            await held.began.wait()
            erasing = begin(world)
            await still()
            assert not erasing.done()
            held.go_on.set()
            await exporting
            assert (await erasing).residue == 0
            assert not (tmp_path / "exports" / "copy").exists()

    asyncio.run(story())
