"""Stopping a turn: at once, with what was said so far kept (CMD-26, CMD-27, QUEUE-16, QUEUE-17)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from instar.core.model.event import RunEnded
from instar.core.turn.recover import INTERRUPTED_TEXT
from instar.gateway import waiting
from instar.ports.tool import ToolOutput, ToolSpec
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


class HoldsAfter:
    """Lets the first chunk through and holds the second back."""

    def __init__(self):
        self.gate = Gate()

    async def __call__(self, index):
        if index == 1:
            await self.gate()


@pytest.mark.parametrize("word", ["/stop", "stop", "Esc"])
def test_what_was_said_before_a_stop_is_kept_and_marked(word):
    @story
    async def play_it():
        hold = HoldsAfter()
        script = then(lambda _: Reply(text="half of it, and the rest", chunks=2, before_chunk=hold), echo_script)
        async with GatewayInMemory(build_config(), runner=ScriptedRunner(script)) as world:
            await world.channel("telegram").post("one", sender="ann")
            await hold.gate.reached.wait()
            await world.channel("telegram").post(word, sender="ann")
            await world.settle()
            assert await read_lines(world) == ["user: one", "assistant (aborted): half of it,"]
            assert sent_texts(world) == ["Stopped."]
            assert (await world.store.load_session(DIRECT)).counters.aborted_last_run
            assert await read_inbox(world) == [("one", "answered", "stop"), (word, "command", None)]
            await world.channel("telegram").post("two", sender="ann")
            await world.settle()
            assert sent_texts(world)[-1] == "You said: two"
            assert not (await world.store.load_session(DIRECT)).counters.aborted_last_run

    play_it()


@story
async def test_a_stop_drops_what_waits_and_tells_each_sender_once():
    gate = Gate()
    config = build_config(session={"dmScope": "main"}, messages={"queue": {"mode": "followup"}})
    script = play(Reply(text="never said", before_chunk=gate))
    async with GatewayInMemory(config, runner=ScriptedRunner(script)) as world:
        post = world.channel("telegram").post
        await post("one", sender="ann")
        await gate.reached.wait()
        await post("two", sender="ann")
        await post("three", sender="ann")
        await post("mine", sender="bob")
        await post("/stop", sender="ann")
        await world.settle()
        assert [(text, state) for text, state, _ in await read_inbox(world, "agent:main:main")] == [
            ("one", "answered"),
            ("two", "expired"),
            ("three", "expired"),
            ("mine", "expired"),
            ("/stop", "command"),
        ]
        assert sorted(sent_texts(world, to="ann")) == [
            "2 of your messages were not answered: it was stopped.\n“two”\n“three”",
            "Stopped.",
        ]
        assert sent_texts(world, to="bob") == ["Your message “mine” was not answered: it was stopped."]


@story
async def test_there_may_be_nothing_to_stop():
    async with GatewayInMemory(build_config()) as world:
        await world.channel("telegram").post("/stop", sender="ann")
        await world.settle()
        assert sent_texts(world) == ["Nothing was running."]


@dataclass
class Slow:
    """A tool that never ends by itself; with `stubborn` it does not end when it is cancelled either."""

    gate: Gate
    stubborn: bool = False
    spec = ToolSpec(name="slow", description="Slow.", parameters={"type": "object"})

    async def call(self, context, arguments):
        while True:
            try:
                await self.gate()
            except asyncio.CancelledError:
                if not self.stubborn:
                    raise
            else:
                return ToolOutput(content=())


@story
async def test_a_tool_that_was_stopped_has_a_result_that_says_so():
    gate = Gate()
    script = play(Reply(text="Let me look.", calls=(call("slow"), call("slow"))))
    async with GatewayInMemory(build_config(), runner=ScriptedRunner(script), tools={"slow": Slow(gate)}) as world:
        await world.channel("telegram").post("one", sender="ann")
        await gate.reached.wait()
        await world.channel("telegram").post("/stop", sender="ann")
        await world.settle()
        assert await read_lines(world) == [
            "user: one",
            "assistant: Let me look. [slow] [slow]",
            f"slow → error: {INTERRUPTED_TEXT}",
            f"slow → error: {INTERRUPTED_TEXT}",
            "assistant (aborted):",
        ]
        assert sent_texts(world) == ["Let me look.", "Stopped."]


@story
async def test_a_tool_that_ignores_a_stop_holds_nobody(monkeypatch):
    monkeypatch.setattr(waiting, "GRACE_S", 0.01)
    gate = Gate()
    script = then(lambda _: Reply(calls=(call("slow"),)), echo_script)
    tools = {"slow": Slow(gate, stubborn=True)}
    async with GatewayInMemory(build_config(), runner=ScriptedRunner(script), tools=tools) as world:
        await world.channel("telegram").post("one", sender="ann")
        await gate.reached.wait()
        await world.channel("telegram").post("/stop", sender="ann")
        await world.settle()
        await world.channel("telegram").post("two", sender="ann")
        await world.settle()
        assert sent_texts(world) == ["Stopped.", "You said: two"]
    gate.open()
    await until(lambda: not waiting._left_behind)


@story
async def test_a_client_stops_one_run_by_its_id():
    gate = Gate()
    config = build_config(messages={"queue": {"mode": "followup", "debounceMs": 0}})
    script = then(lambda _: Reply(text="never said", before_chunk=gate), echo_script)
    async with GatewayInMemory(config, runner=ScriptedRunner(script)) as world:
        await ask(world, "one", run_id="r1")
        await gate.reached.wait()
        await ask(world, "two", run_id="r2")
        await ask(world, "three", run_id="r3")
        assert await world.gateway.sessions.abort(DIRECT, "r2", who="operator") == ("r2",)
        assert (await world.gateway.run_state("r2")).status == "aborted"
        assert await world.gateway.sessions.abort(DIRECT, "nobody", who="operator") == ()
        assert await world.gateway.sessions.abort(DIRECT, "r1", who="operator") == ("r1",)
        await world.settle()
        assert await read_lines(world) == [
            "user: one",
            "assistant (aborted):",
            "user: three",
            "assistant: You said: three",
        ]
        assert [state for _, state, _ in await read_inbox(world)] == ["answered", "expired", "answered"]


@story
async def test_a_client_stops_everything_of_a_session_waiting_first():
    gate = Gate()
    config = build_config(messages={"queue": {"mode": "followup"}})
    runner = ScriptedRunner(play(Reply(text="never said", before_chunk=gate)))
    async with GatewayInMemory(config, runner=runner) as world:
        listener = Listener(world)
        await ask(world, "one", run_id="r1")
        await gate.reached.wait()
        await ask(world, "two", run_id="r2")
        assert await world.gateway.sessions.abort(DIRECT, None, who="operator") == ("r2", "r1")
        await world.settle()
        ends = {event.turn_id: event.state for event in listener.events if isinstance(event, RunEnded)}
        assert ends == {"r1": "aborted", "r2": "aborted"}
        assert [state for _, state, _ in await read_inbox(world)] == ["answered", "expired"]


@story
async def test_the_run_id_of_a_steered_message_stops_the_turn_that_took_it():
    gate = Gate()

    class Look(Slow):
        async def call(self, context, arguments):
            await self.gate()
            return ToolOutput(content=())

    second = Gate()
    script = play(Reply(calls=(call("slow"),)), Reply(text="never said", before_chunk=second))
    async with GatewayInMemory(build_config(), runner=ScriptedRunner(script), tools={"slow": Look(gate)}) as world:
        await ask(world, "one", run_id="r1")
        await gate.reached.wait()
        await ask(world, "two", run_id="r2")
        await until(lambda: world.gateway.lanes.get(DIRECT).waiting_count == 1)
        gate.open()
        await second.reached.wait()
        assert await world.gateway.sessions.abort(DIRECT, "r2", who="operator") == ("r1",)
        assert (await world.gateway.run_state("r2")).status == "aborted"


@story
async def test_a_turn_that_waits_for_a_place_can_be_stopped_too():
    gate = Gate()
    config = build_config(agents={"defaults": {"maxConcurrent": 1}})
    runner = ScriptedRunner(lambda asked: Reply(text=asked.last_user_text, before_chunk=gate))
    async with GatewayInMemory(config, runner=runner) as world:
        await world.channel("telegram").post("one", sender="ann")
        await gate.reached.wait()
        await world.channel("telegram").post("two", sender="bob")
        await world.channel("telegram").post("/stop", sender="bob")
        key = "agent:main:telegram:direct:bob"
        await until(lambda: sent_texts(world, to="bob") == ["Stopped."])
        assert await read_lines(world, key) == ["user: two", "assistant (aborted):"]
        gate.open()
        await world.settle()
        assert sent_texts(world, to="ann") == ["one"]
