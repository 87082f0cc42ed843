"""Sub-agent sessions: how deep they go, and that they gain no rights (SESSTOOL-9, TYPE-4, TYPE-9)."""

from __future__ import annotations

import pytest

from instar.core.model.ids import SessionKey
from instar.core.model.view import NewSession
from instar.errors import InvalidRequest, NotFound
from tests.builders.stories import DIRECT, ask, story
from tests.flow.test_tool_policy import build_world, offered, post

GROUP = SessionKey("agent:main:telegram:group:club")


def child(number, agent="main"):
    return SessionKey(f"agent:{agent}:subagent:{number}")


async def spawn(world, key, parent, **fields):
    return await world.gateway.sessions.create(NewSession(key=key, parent_key=parent, **fields), who="agent")


async def turn_in(world, key, run):
    await ask(world, "go", key=key, run_id=run)
    await world.settle()


@pytest.mark.parametrize(
    ("channel", "parent", "where"),
    [
        ({"tools": {"deny": ["exec"]}}, DIRECT, {}),
        (
            {"groups": {"club": {"tools": {"deny": ["exec"]}}}},
            GROUP,
            {"chat_type": "group", "chat_id": "club", "mentioned": True},
        ),
    ],
)
def test_what_a_session_may_not_use_its_sub_agents_may_not_either(channel, parent, where):
    @story
    async def play():
        limits = {"agents": {"defaults": {"subagents": {"maxSpawnDepth": 2}}}}
        world, _ = build_world(channel=channel, **limits)
        async with world:
            await post(world, **where)
            assert offered(world) == ["look"]
            for number, above in ((1, parent), (2, child(1))):
                view = await spawn(world, child(number), above)
                assert (view.session.origin.spawned_by, view.session.origin.spawn_depth) == (above, number)
                await turn_in(world, child(number), f"r{number}")
                assert offered(world) == ["look"]
            with pytest.raises(InvalidRequest, match="3 deep and maxSpawnDepth is 2"):
                await spawn(world, child(3), child(2))

    play()


@story
async def test_the_lists_of_the_agent_that_starts_another_hold_for_the_other_too():
    agents = {"list": [{"id": "main", "tools": {"deny": ["exec"]}}, {"id": "work"}], "defaults": {}}
    agents["defaults"]["subagents"] = {"maxSpawnDepth": 5}
    world, _ = build_world(agents=agents)
    async with world:
        await post(world)
        await spawn(world, child(1, "work"), DIRECT)
        await turn_in(world, child(1, "work"), "r1")
        assert offered(world) == ["look"]
        with pytest.raises(InvalidRequest, match="such start no others"):
            await spawn(world, child(2, "work"), child(1, "work"))


@story
async def test_a_sub_agent_is_in_the_sandbox_that_its_parent_was_put_into():
    world, _ = build_world()
    async with world:
        await post(world)
        await world.gateway.sessions.patch(DIRECT, {"sandboxMode": True}, who="owner")
        view = await spawn(world, child(1), DIRECT)
        assert view.session.overrides.sandbox_mode is True
        await world.gateway.sessions.reset(child(1), reason="reset", who="owner")
        assert (await world.store.load_session(child(1))).overrides.sandbox_mode is True


@story
async def test_sub_agents_start_no_others_by_default_and_none_for_nobody():
    world, _ = build_world()
    async with world:
        await post(world)
        await spawn(world, child(1), DIRECT)
        with pytest.raises(InvalidRequest, match="2 deep and maxSpawnDepth is 1"):
            await spawn(world, child(2), child(1))
        with pytest.raises(NotFound):
            await spawn(world, child(3), SessionKey("agent:main:telegram:direct:nobody"))
        assert await world.store.load_session(child(2)) is None
