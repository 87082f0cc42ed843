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
from instar.gateway.gateway import Gateway
from tests.builders.erasing import (
    BOB,
    CONFIG,
    GROUP,
    OWN,
    TRACES,
    Held,
    begin,
    both_sides,
    cut_world,
    held_erasure,
    lines,
    still,
    talk,
)
from tests.builders.people import PeopleWorld, open_people
from tests.builders.stories import story

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


@pytest.mark.parametrize("step", ["find", "erase", "_carry_out", "_touch"])
@pytest.mark.parametrize("way", WAYS)
@story
async def test_it_waits_until_the_erasure_is_through(tmp_path, way, step):
    async with held_erasure(tmp_path, step, before=both_sides) as erasure:
        asking = ask(erasure.world, WAYS[way])
        await erasure.keeps(asking)
        await erasure.end_clean()
        await asking
        assert erasure.world.count("zebra", "Alice Moor") == {}


@pytest.mark.parametrize("way", NEEDING)
@story
async def test_what_needs_their_session_finds_none_then(tmp_path, way):
    async def talk_and_begin_anew(world: PeopleWorld) -> None:
        await talk(world)
        await world.gateway.gateway.sessions.reset(OWN, reason="new", who=WHO)

    async with held_erasure(tmp_path, before=talk_and_begin_anew) as erasure:
        asking = ask(erasure.world, NEEDING[way])
        await erasure.keeps(asking)
        await erasure.end_clean()
        with pytest.raises(NotFound):
            await asking
        await erasure.world.mirror.flush()
        assert erasure.world.count(*TRACES, str(OWN)) == {}


@pytest.mark.parametrize("step", ["find", "erase", "_carry_out"])
@story
async def test_a_copy_of_a_shared_session_is_made_of_what_is_left(tmp_path, step):
    async with held_erasure(tmp_path, step, before=both_sides) as erasure:
        world = erasure.world
        fork = NewSession(key=COPY, parent_key=GROUP, fork=True)
        asking = ask(world, lambda gateway: gateway.sessions.create(fork, who=WHO))
        await still()
        assert (await erasure.end()).residue == 0
        await asking
        await world.mirror.flush()
        assert "panda-9002" in " ".join(await lines(world, COPY))
        assert world.count("zebra", "Alice Moor") == {}


@pytest.mark.parametrize("way", ["fork", "restore", "restore a file"])
@story
async def test_what_a_client_has_read_already_goes_with_the_rest(tmp_path, way):
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
        held = Held(world.store, "change" if way == "fork" else "import_transcript")
        asking = ask(world, ways[way])
        await held.began.wait()
        erasing = begin(world)
        await still(0.2)
        assert not erasing.done()
        held.go_on.set()
        await asking
        assert (await erasing).residue == 0
        await world.mirror.flush()
        assert world.count("zebra", "Alice Moor") == {}
        assert world.count("panda-9002")


@story
async def test_what_is_asked_for_in_sessions_of_others_is_done_meanwhile(tmp_path):
    async with held_erasure(tmp_path) as erasure:
        async with asyncio.timeout(20):
            view = await erasure.world.gateway.gateway.sessions.patch(BOB, {"thinkingLevel": "high"}, who=WHO)
        assert view.session.overrides.thinking_level == "high"
        assert not erasure.erasing.done()
        await erasure.end()


@story
async def test_whoever_waits_too_long_is_told_to_try_again(tmp_path):
    async with held_erasure(tmp_path) as erasure:
        with pytest.raises(Unavailable, match="is being deleted at this moment") as told:
            await erasure.wait_too_long(ask(erasure.world, WAYS["create"]))
        assert told.value.what == "The session was not changed"
        assert told.value.retry_after_ms is not None
        await erasure.end()
        assert await erasure.world.store.load_session(OWN) is None


@pytest.mark.parametrize("way", WAYS)
@story
async def test_while_an_erasure_is_cut_nothing_of_theirs_begins(tmp_path, way):
    async with cut_world(tmp_path) as world:
        with pytest.raises(Unavailable, match="could not be finished yet"):
            await WAYS[way](world.gateway.gateway)
        assert await world.store.load_session(OWN) is None


@story
async def test_a_copy_of_what_is_held_is_made_before_or_after(tmp_path):
    async with open_people(tmp_path, CONFIG) as world:
        await talk(world)
        held = Held(world.eraser, "export")
        exporting = ask(world, lambda gateway: gateway.people.export("alice", name="copy"))
        await held.began.wait()
        erasing = begin(world)
        await still()
        assert not erasing.done()
        held.go_on.set()
        await exporting
        assert (await erasing).residue == 0
        assert not (tmp_path / "exports" / "copy").exists()
