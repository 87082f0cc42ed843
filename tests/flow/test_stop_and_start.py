"""Stopping the gateway: what runs may end, what waits is taken up at the next start (design, section 2; LOSS-4)."""

from __future__ import annotations

import asyncio

import pytest

from instar.core.model.event import ShuttingDown
from instar.errors import ChannelError, Unavailable
from instar.gateway.gateway import DRAIN_S
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import ScriptedRunner
from instar.testing.script import Reply, echo_script
from tests.builders.stories import (
    DIRECT,
    Gate,
    Listener,
    build_config,
    read_decisions,
    read_inbox,
    read_lines,
    sent_texts,
    story,
    then,
    until,
)


def build_world(gate, *, mode="followup"):
    config = build_config(messages={"queue": {"mode": mode, "debounceMs": 0}})
    first = lambda asked: Reply(text=f"You said: {asked.last_user_text}", before_chunk=gate)  # noqa: E731 - a script
    return GatewayInMemory(config, runner=ScriptedRunner(then(first, echo_script)))


@story
async def test_a_turn_that_runs_may_end_and_its_answer_leaves():
    gate = Gate()
    async with build_world(gate) as world:
        await world.channel("telegram").post("hello", sender="ann")
        await gate.reached.wait()
        stopping = asyncio.ensure_future(world.gateway.stop("shutdown"))
        await until(lambda: world.clock.sleepers > 0)
        gate.open()
        await stopping
        assert sent_texts(world) == ["You said: hello"]
        assert await read_inbox(world) == [("hello", "answered", None)]
        await world.restart()
        await world.settle()
        assert len(world.runner.requests) == 1


@story
async def test_nothing_new_begins_while_the_gateway_stops_and_what_waits_is_answered_after_the_start():
    gate = Gate()
    async with build_world(gate) as world:
        post = world.channel("telegram").post
        await post("one", sender="ann")
        await gate.reached.wait()
        await post("two", sender="ann")
        stopping = asyncio.ensure_future(world.restart())
        await until(lambda: world.gateway._is_draining)
        with pytest.raises(Unavailable, match="stopping"):
            await post("three", sender="ann", message_id="m3")
        gate.open()
        await stopping
        await world.settle()
        assert sent_texts(world) == ["You said: one", "You said: two"]
        await post("three", sender="ann", message_id="m3")
        await world.settle()
        assert sent_texts(world)[-1] == "You said: three"
        assert [state for _, state, _ in await read_inbox(world)] == ["answered"] * 3


@story
async def test_a_turn_that_does_not_end_in_time_is_cut_and_goes_on_after_the_start():
    gate = Gate()
    async with build_world(gate) as world:
        await world.channel("telegram").post("hello", sender="ann")
        await gate.reached.wait()
        stopping = asyncio.ensure_future(world.restart())
        await until(lambda: world.clock.sleepers > 0)
        await world.run_for(DRAIN_S)
        await stopping
        await world.settle()
        assert await read_lines(world) == ["user: hello", "assistant: You said: hello"]
        assert sent_texts(world) == ["You said: hello"]
        assert [row.decision.outcome for row in await read_decisions(world, kind="recover")] == ["turn_resumed"]
        assert len(world.runner.requests) == 2


@story
async def test_everybody_is_told_first_and_a_second_stop_does_nothing():
    async with GatewayInMemory(build_config()) as world:
        listener = Listener(world)
        await world.gateway.stop("update")
        await world.gateway.stop("again")
        assert [event.reason for event in listener.events if isinstance(event, ShuttingDown)] == ["update"]
        await world.restart()


@story
async def test_whoever_waits_for_a_lane_is_told_that_the_gateway_stops():
    gate = Gate()
    async with build_world(gate) as world:
        await world.channel("telegram").post("hello", sender="ann")
        await gate.reached.wait()
        lane = world.gateway.lanes.get(DIRECT)

        async def operation():
            await gate.opened.wait()

        waiting = [asyncio.ensure_future(lane.perform(operation)) for _ in range(2)]
        await until(lambda: bool(lane._mail))
        stopping = asyncio.ensure_future(world.restart())
        await until(lambda: world.clock.sleepers > 1)
        await world.run_for(DRAIN_S)
        await stopping
        for task in waiting:
            with pytest.raises(Unavailable, match="stopping"):
                await task


@story
async def test_whoever_comes_to_a_lane_that_was_stopped_is_told_so_and_waits_for_nothing():
    async with build_world(None) as world:
        gateway = world.gateway
        lane = gateway.lanes.get(DIRECT)
        await world.restart()

        async def operation():
            raise AssertionError("nobody is left to do this")

        for asked in (lane.perform(operation), lane.abort("abort")):
            with pytest.raises(Unavailable, match="stopping"):
                await asyncio.wait_for(asked, 30)
        compacted = await asyncio.wait_for(gateway.upkeep.compact(DIRECT, who="operator"), 30)
        assert (compacted.status, "stopping" in compacted.why) == ("failed", True)


@story
async def test_no_lane_is_made_once_all_have_ended():
    async with build_world(None) as world:
        gateway = world.gateway
        await world.restart()
        with pytest.raises(Unavailable, match="stopping"):
            await gateway.sessions.reset(DIRECT, reason="reset", who="operator")
        assert not list(gateway.lanes)


@story
async def test_a_channel_that_cannot_start_does_not_keep_the_others_silent():
    world = GatewayInMemory(build_config(channels=("telegram", "slack")))
    async with world:
        broken = world.channel("telegram")

        async def start(context):
            raise ChannelError("the token was refused")

        broken.start = start
        await world.restart()
        await world.channel("slack").post("hello", sender="ann")
        await world.settle()
        assert sent_texts(world, "slack") == ["You said: hello"]
        status = await world.gateway.status()
        states = {channel.name: (channel.running, channel.error) for channel in status.channels}
        assert states["slack"] == (True, None)
        assert states["telegram"] == (False, "the token was refused.")


@story
async def test_idle_lanes_go_and_come_back():
    async with GatewayInMemory(build_config()) as world:
        await world.channel("telegram").post("one", sender="ann")
        await world.settle()
        assert len(list(world.gateway.lanes)) == 1
        await world.run_for(121)
        assert list(world.gateway.lanes) == []
        await world.channel("telegram").post("two", sender="ann")
        await world.settle()
        assert len(world.runner.requests[-1].messages) == 3


@pytest.mark.parametrize("kill", [False, True])
def test_many_restarts_in_a_row_change_nothing(kill):
    @story
    async def play():
        async with GatewayInMemory(build_config()) as world:
            await world.channel("telegram").post("one", sender="ann")
            await world.settle()
            for _ in range(5):
                await world.restart(kill=kill)
            await world.settle()
            assert await read_lines(world) == ["user: one", "assistant: You said: one"]
            assert sent_texts(world) == ["You said: one"]

    play()
