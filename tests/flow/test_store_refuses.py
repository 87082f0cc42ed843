"""A store that refuses for a while (a full disk): the session is late, and nothing is lost or done twice."""

from __future__ import annotations

import pytest

from instar.core.model.entry import TextBlock
from instar.core.model.event import RunEnded
from instar.errors import FenceLost, StoreFull, StoreReadOnly
from instar.ports.tool import ToolOutput, ToolSpec
from instar.testing.fuse import Fuse
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import ScriptedRunner
from instar.testing.script import Reply, call, echo_script, play
from tests.builders.stories import (
    DIRECT,
    Gate,
    Listener,
    ask,
    build_config,
    read_inbox,
    read_lines,
    sent_texts,
    story,
    then,
    until,
)

FULL = StoreFull("The disk is full")


class RefusingAt(Fuse):
    """Refuses a write so many times when it comes to the step called `name`."""

    def __init__(self, name, times=3, error=FULL):
        super().__init__()
        self._name, self._times, self._error = name, times, error

    async def step(self, name):
        await super().step(name)
        if name == self._name and self._times:
            self._times -= 1
            self.refusals.insert(0, self._error)


class Once:
    """A tool that must not run twice."""

    spec = ToolSpec(name="once", description="Once.", parameters={"type": "object"})

    def __init__(self):
        self.count = 0

    async def call(self, context, arguments):
        self.count += 1
        return ToolOutput(content=(TextBlock(text=f"run {self.count}"),))


STEPS = ["begin_turn", "append_answer", "append_tool_result", "finish_turn"]


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("error", [FULL, StoreReadOnly("read-only")], ids=["full", "read-only"])
def test_a_turn_waits_for_the_store_and_asks_neither_model_nor_tool_again(name, error):
    @story
    async def play_it():
        tool = Once()
        runner = ScriptedRunner(play(Reply(text="Looking.", calls=(call("once"),)), "done"))
        fuse = RefusingAt(f"before change {name}", error=error)
        world = GatewayInMemory(build_config(), runner=runner, tools={"once": tool}, fuse=fuse)
        async with world:
            listener = Listener(world)
            await world.channel("telegram").post("hello", sender="ann")
            await world.run_for(30)
            await world.settle()
            assert await read_lines(world) == [
                "user: hello",
                "assistant: Looking. [once]",
                "once → run 1",
                "assistant: done",
            ]
            assert (tool.count, len(runner.requests)) == (1, 2)
            assert await read_inbox(world) == [("hello", "answered", None)]
            assert sent_texts(world) == ["Looking.", "done"]
            assert len([event for event in listener.events if isinstance(event, RunEnded)]) == 1

    play_it()


@pytest.mark.parametrize("name", ["claim_deliveries", "settle_delivery"])
def test_a_reply_waits_for_the_store_and_is_sent_once(name):
    @story
    async def play_it():
        async with GatewayInMemory(build_config(), fuse=RefusingAt(f"before {name}", times=4)) as world:
            await world.channel("telegram").post("hello", sender="ann")
            await world.run_for(30)
            await world.settle()
            assert sent_texts(world) == ["You said: hello"]
            (row,) = await world.store.load_deliveries(session_key=DIRECT)
            assert row.state == "sent"

    play_it()


@story
async def test_a_command_waits_for_the_store_and_is_done_once():
    async with GatewayInMemory(build_config(), fuse=RefusingAt("before change end_command")) as world:
        await world.channel("telegram").post("/help", sender="ann")
        await world.run_for(30)
        await world.settle()
        assert len(sent_texts(world)) == 1
        assert await read_inbox(world) == [("/help", "command", None)]


@story
async def test_messages_that_were_dropped_are_written_off_once_the_store_takes_it():
    gate = Gate()
    config = build_config(messages={"queue": {"mode": "followup", "cap": 1, "debounceMs": 0}})
    script = then(lambda _: Reply(text="first", before_chunk=gate), echo_script)
    fuse = RefusingAt("before change expire_messages")
    async with GatewayInMemory(config, runner=ScriptedRunner(script), fuse=fuse) as world:
        listener = Listener(world)
        await ask(world, "one", run_id="r1")
        await gate.reached.wait()
        for number in (2, 3):
            await ask(world, f"message {number}", run_id=f"r{number}")
        await until(lambda: fuse._times < 3)
        assert [state for _, state, _ in await read_inbox(world)] == ["running", "waiting", "waiting"]
        gate.open()
        await world.run_for(30)
        await world.settle()
        assert [state for _, state, _ in await read_inbox(world)] == ["answered", "expired", "answered"]
        ends = [event.turn_id for event in listener.events if isinstance(event, RunEnded)]
        assert sorted(ends) == ["r1", "r2", "r3"]


@story
async def test_a_steered_message_waits_for_the_store_with_the_turn_that_took_it():
    gate = Gate()
    script = play(Reply(text="one", before_chunk=gate), "both")
    fuse = RefusingAt("before change steer_turn")
    async with GatewayInMemory(build_config(), runner=ScriptedRunner(script), fuse=fuse) as world:
        await world.channel("telegram").post("first", sender="ann")
        await gate.reached.wait()
        await world.channel("telegram").post("second", sender="ann")
        await until(lambda: world.gateway.lanes.get(DIRECT).waiting_count == 1)
        gate.open()
        await world.run_for(30)
        await world.settle()
        assert await read_lines(world) == ["user: first", "assistant: one", "user: second", "assistant: both"]
        assert [state for _, state, _ in await read_inbox(world)] == ["answered", "merged"]


@story
async def test_a_stop_while_the_store_refuses_ends_the_turn_as_soon_as_it_can():
    gate = Gate()
    script = play(Reply(text="half, and half", chunks=2, before_chunk=gate))
    fuse = RefusingAt("before change abort_turn", times=2)
    async with GatewayInMemory(build_config(), runner=ScriptedRunner(script), fuse=fuse) as world:
        await world.channel("telegram").post("one", sender="ann")
        await gate.reached.wait()
        await world.channel("telegram").post("/stop", sender="ann")
        await world.run_for(10)
        await world.settle()
        assert await read_inbox(world) == [("one", "answered", "stop"), ("/stop", "command", None)]
        assert sent_texts(world) == ["Stopped."]


@story
async def test_a_crash_while_the_store_refuses_loses_nothing():
    fuse = RefusingAt("before change finish_turn", times=1000)
    async with GatewayInMemory(build_config(), fuse=fuse) as world:
        await world.channel("telegram").post("hello", sender="ann")
        await world.run_for(20)
        await world.restart(kill=True)
        await world.settle()
        assert await read_lines(world) == ["user: hello", "assistant: You said: hello"]
        assert sent_texts(world) == ["You said: hello"]


@story
async def test_a_gateway_that_was_superseded_stops_writing():
    gate = Gate()
    script = then(lambda _: Reply(text="too late", before_chunk=gate), echo_script)
    async with GatewayInMemory(build_config(), runner=ScriptedRunner(script)) as world:
        await world.channel("telegram").post("hello", sender="ann")
        await gate.reached.wait()
        await world.store.recover(world.clock.now())
        gate.open()
        await world.settle()
        assert await read_lines(world) == ["user: hello"]
        assert await read_inbox(world) == [("hello", "running", None)]
        with pytest.raises(FenceLost):
            await world.gateway.sessions.reset(DIRECT, reason="reset", who="operator")
        await world.restart(kill=True)
        await world.settle()
        assert await read_lines(world) == ["user: hello", "assistant: You said: hello"]
