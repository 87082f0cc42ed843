"""What a session's lists leave out is neither told to the model nor run (TYPE-3, TYPE-5, TYPE-6, TYPE-9)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instar.core.explain.status import build_status_lines
from instar.core.model.entry import TextBlock
from instar.core.model.ids import SessionKey
from instar.ports.tool import ToolOutput, ToolSpec
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import ScriptedRunner
from instar.testing.script import Reply, call
from tests.builders.stories import DIRECT, build_config, read_decisions, read_lines, story

MAIN = SessionKey("agent:main:main")


class Named:
    """A tool that says that it ran."""

    def __init__(self, name):
        self.spec = ToolSpec(name=name, description="x", parameters={"type": "object"})
        self.ran = 0

    async def call(self, context, arguments):
        self.ran += 1
        return ToolOutput(content=(TextBlock(text="ran"),))


def calls_exec(asked):
    if asked.last is not None and asked.last.role == "user":
        return Reply(calls=(call("exec"),))
    return Reply(text="done")


def build_world(*, channel=None, **root):
    config = build_config(**root)
    config["gateway"] = {"allowUnsafe": True}
    config["channels"]["telegram"] |= channel or {}
    tools = {name: Named(name) for name in ("exec", "look")}
    return GatewayInMemory(config, runner=ScriptedRunner(calls_exec), tools=tools), tools


def offered(world):
    return [spec.name for spec in world.runner.requests[-1].tools]


async def post(world, **where):
    await world.channel("telegram").post("go", **{"sender": "ann", "name": "Ann", **where})
    await world.settle()


@pytest.mark.parametrize(
    ("channel", "root", "names"),
    [
        ({}, {}, ["exec", "look"]),
        ({"tools": {"deny": ["ex*"]}}, {}, ["look"]),
        ({"tools": {"allow": ["look"]}}, {}, ["look"]),
        ({}, {"tools": {"deny": ["exec"]}}, ["look"]),
        ({}, {"agents": {"list": [{"id": "main", "tools": {"allow": ["look"]}}]}}, ["look"]),
        # What one layer takes away no other gives back.
        ({"tools": {"allow": ["exec", "look"]}}, {"tools": {"deny": ["exec"]}}, ["look"]),
    ],
)
def test_a_tool_must_pass_every_layer_that_has_lists(channel, root, names):
    @story
    async def play():
        world, tools = build_world(channel=channel, **root)
        async with world:
            await post(world)
            assert offered(world) == names
            (result,) = [line for line in await read_lines(world) if line.startswith("exec →")]
            assert tools["exec"].ran == ("exec" in names)
            assert ("There is no tool named 'exec'" in result) is ("exec" not in names)

    play()


@story
async def test_a_group_has_lists_of_its_own():
    world, tools = build_world(
        channel={
            "groups": {"club": {"tools": {"deny": ["exec"]}, "activation": "always"}, "*": {"activation": "always"}}
        }
    )
    async with world:
        await post(world, chat_type="group", chat_id="club")
        assert offered(world) == ["look"]
        await post(world, chat_type="group", chat_id="other")
        assert offered(world) == ["exec", "look"]
        assert tools["exec"].ran == 1


@story
async def test_a_stranger_in_the_main_session_has_not_the_rights_of_its_owner():
    world, _ = build_world(
        session={"dmScope": "main"},
        commands={"ownerAllowFrom": ["ann"]},
        agents={"defaults": {"sandbox": {"mode": "non-main"}}},
        tools={"sandbox": {"tools": {"deny": ["exec"]}}},
    )
    async with world:
        await post(world)
        assert world.runner.requests[-1].session_key == MAIN
        assert offered(world) == ["exec", "look"]
        await post(world, sender="eve", name="Eve")
        assert world.runner.requests[-1].session_key == MAIN
        assert offered(world) == ["look"]


def refusals(world):
    return read_decisions(world, kind="tool")


@pytest.mark.parametrize("mode", ["all", "non-main"])
def test_a_tool_that_touches_the_host_fails_where_no_sandbox_can_start(mode):
    @story
    async def play():
        world, tools = build_world(agents={"defaults": {"sandbox": {"mode": mode}}})
        tools["look"].spec = replace(tools["look"].spec, touches_host=False)
        async with world:
            await post(world)
            assert offered(world) == ["exec", "look"]
            (result,) = [line for line in await read_lines(world) if line.startswith("exec →")]
            assert "Nothing was run on the host" in result
            assert tools["exec"].ran == 0
            (row,) = await refusals(world)
            assert (row.decision.outcome, row.decision.rule, row.decision.inputs["tool"]) == (
                "refuse",
                "TYPE-8",
                "exec",
            )
            assert row.turn_id is not None

    play()


@story
async def test_a_tool_that_touches_no_host_runs_in_a_sandboxed_session():
    world, tools = build_world(agents={"defaults": {"sandbox": {"mode": "all"}}})
    tools["exec"].spec = replace(tools["exec"].spec, touches_host=False)
    async with world:
        await post(world)
        assert tools["exec"].ran == 1
        assert await refusals(world) == []


@story
async def test_an_owner_may_leave_the_sandbox_for_one_message_and_a_guest_may_not():
    world, tools = build_world(
        agents={"defaults": {"sandbox": {"mode": "all"}}}, commands={"ownerAllowFrom": ["ann"], "allowFrom": ["*"]}
    )
    async with world:
        await world.channel("telegram").post("go /elevated on", sender="ann")
        await world.settle()
        assert tools["exec"].ran == 1
        assert "go" in (await read_lines(world))[0]
        assert "/elevated" not in (await read_lines(world))[0]
        await post(world)
        assert tools["exec"].ran == 1, "the directive holds for its own message only"
        await world.channel("telegram").post("go /elevated on", sender="eve")
        await world.settle()
        assert tools["exec"].ran == 1


@story
async def test_what_an_owner_allowed_in_a_shared_session_is_allowed_to_owners_only():
    world, tools = build_world(
        session={"dmScope": "main"},
        agents={"defaults": {"sandbox": {"mode": "all"}}},
        commands={"ownerAllowFrom": ["ann"]},
    )
    async with world:
        await world.channel("telegram").post("/elevated full", sender="ann")
        await post(world)
        assert tools["exec"].ran == 1
        await post(world, sender="eve", name="Eve")
        assert world.runner.requests[-1].session_key == MAIN
        assert tools["exec"].ran == 1


@story
async def test_a_group_that_shares_the_main_session_keeps_its_own_lists_and_sandbox():
    world, tools = build_world(
        session={"groupScope": "main"},
        commands={"ownerAllowFrom": ["ann"]},
        agents={"defaults": {"sandbox": {"mode": "non-main"}}},
        channel={
            "groups": {"*": {"activation": "always"}, "club": {"activation": "always", "tools": {"deny": ["look"]}}}
        },
    )
    async with world:
        await post(world, chat_type="group", chat_id="other")
        assert (world.runner.requests[-1].session_key, tools["exec"].ran) == (MAIN, 1)
        await post(world, chat_type="group", chat_id="other", sender="eve", name="Eve")
        assert (world.runner.requests[-1].session_key, tools["exec"].ran) == (MAIN, 1)
        await post(world, chat_type="group", chat_id="club")
        assert offered(world) == ["exec"]
        await post(world, chat_type="group", chat_id="other")
        assert offered(world) == ["exec", "look"]


@story
async def test_settings_for_every_group_are_not_those_of_a_direct_chat():
    world, tools = build_world(channel={"groups": {"*": {"sandbox": {"mode": "all"}, "activation": "always"}}})
    async with world:
        await post(world)
        assert tools["exec"].ran == 1
        status = build_status_lines(await world.gateway.status_facts(DIRECT))
        assert "Runtime: direct (sandbox off)" in status
        await post(world, chat_type="group", chat_id="club")
        assert tools["exec"].ran == 1
        status = build_status_lines(await world.gateway.status_facts(SessionKey("agent:main:telegram:group:club")))
        assert "Runtime: bubblewrap (sandbox all; it cannot start here" in status


@story
async def test_a_session_that_is_sandboxed_by_hand_is_held_to_the_lists_of_the_sandbox():
    world, _ = build_world(tools={"sandbox": {"tools": {"allow": ["look"]}}})
    async with world:
        await post(world)
        assert offered(world) == ["exec", "look"]
        await world.gateway.sessions.patch(DIRECT, {"sandboxMode": True}, who="ann")
        await post(world)
        assert offered(world) == ["look"]
