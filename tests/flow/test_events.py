"""What listeners hear of a run: in order, after the commit, and one end for every run that was acknowledged."""

from __future__ import annotations

from collections import Counter

from instar.core.model.event import (
    AssistantDelta,
    CommandAnswered,
    MessageStored,
    RunEnded,
    RunPhase,
    RunStarted,
    SessionChanged,
    ToolEnded,
    ToolStarted,
)
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import ScriptedRunner
from instar.testing.script import Fault, Reply, call, echo_script, play
from tests.builders.stories import (
    DIRECT,
    Gate,
    Listener,
    ask,
    build_config,
    read_lines,
    story,
    then,
    until,
)
from tests.flow.test_steering import Look


def names(events):
    """The kinds of events, one after the other, without repetitions."""
    kinds = []
    for event in events:
        kind = type(event).__name__
        if isinstance(event, SessionChanged):
            kind = f"session {event.reason}"
        if isinstance(event, RunPhase):
            kind = event.phase
        if not kinds or kinds[-1] != kind:
            kinds.append(kind)
    return kinds


def ends_of(listener):
    """How often each run ended."""
    ends = Counter()
    for event in listener.events:
        if isinstance(event, RunEnded):
            ends.update([event.turn_id, *event.also])
        elif isinstance(event, CommandAnswered):
            ends[event.turn_id] += 1
    return ends


@story
async def test_the_events_of_a_run_come_in_their_order():
    look = Look()
    look.gate.open()
    runner = ScriptedRunner(play(Reply(text="Looking.", calls=(call("look"),)), "done"))
    async with GatewayInMemory(build_config(), runner=runner, tools={"look": look}) as world:
        listener = Listener(world)
        await ask(world, "look", run_id="r1")
        await world.settle()
        assert names(listener.events) == [
            "MessageStored",
            "RunStarted",
            "session create",
            "session agent.run.started",
            "preparing_context",
            "starting_model",
            "AssistantDelta",
            "MessageStored",
            "ToolStarted",
            "MessageStored",
            "ToolEnded",
            "preparing_context",
            "starting_model",
            "AssistantDelta",
            "MessageStored",
            "RunEnded",
            "session agent.input.settled",
        ]
        runs = {event.turn_id for event in listener.events if hasattr(event, "turn_id")}
        assert runs == {"r1"}


@story
async def test_an_event_tells_what_is_already_stored():
    async with GatewayInMemory(build_config()) as world:
        seen = []

        def check(event):
            commits = [step for step in world.fuse.steps if step.startswith("after change")]
            if isinstance(event, MessageStored | RunStarted | RunEnded):
                seen.append((type(event).__name__, commits[-1]))

        world.gateway.events.subscribe(check)
        await ask(world, "hello", run_id="r1")
        await world.settle()
        assert seen == [
            ("MessageStored", "after change begin_turn"),
            ("RunStarted", "after change begin_turn"),
            ("MessageStored", "after change finish_turn"),
            ("RunEnded", "after change finish_turn"),
        ]


@story
async def test_stored_messages_are_told_with_their_place():
    async with GatewayInMemory(build_config()) as world:
        listener = Listener(world)
        for number in (1, 2):
            await ask(world, f"m{number}", run_id=f"r{number}")
            await world.settle()
        told = [event.seq for event in listener.events if isinstance(event, MessageStored)]
        assert told == [1, 2, 3, 4]


@story
async def test_deltas_grow_into_the_answer():
    async with GatewayInMemory(build_config()) as world:
        listener = Listener(world)
        await ask(world, "hello", run_id="r1")
        await world.settle()
        deltas = [event for event in listener.events if isinstance(event, AssistantDelta)]
        assert deltas[-1].text == "You said: hello"
        assert "".join(event.delta for event in deltas) == "You said: hello"


@story
async def test_every_acknowledged_run_ends_exactly_once_whatever_becomes_of_it():
    """Answered, steered, collected, dropped, failed, stopped, a command: one end each."""
    look = Look()
    gate = Gate()
    script = then(
        lambda _: Reply(calls=(call("look"),)),
        lambda _: Reply(text="both"),
        lambda _: Reply(fault=Fault(kind="server")),
        lambda _: Reply(text="never said", before_chunk=gate),
        echo_script,
    )
    world = GatewayInMemory(build_config(), runner=ScriptedRunner(script), tools={"look": look})
    async with world:
        listener = Listener(world)
        await ask(world, "answered", run_id="answered")
        await look.gate.reached.wait()
        await ask(world, "steered", run_id="steered")
        await until(lambda: world.gateway.lanes.get(DIRECT).waiting_count == 1)
        look.gate.open()
        await world.settle()
        await ask(world, "failed", run_id="failed")
        await world.settle()
        await ask(world, "stopped", run_id="stopped")
        await gate.reached.wait()
        await world.channel("telegram").post("/queue followup", sender="ann")
        await until(lambda: world.channel("telegram").sent)
        await ask(world, "dropped", run_id="dropped")
        await ask(world, "/status", run_id="command")
        await ask(world, "/stop", run_id="stop")
        await world.settle()
        await ask(world, "/new", run_id="reset")
        await world.settle()
        wanted = {"answered", "steered", "failed", "stopped", "dropped", "command", "stop", "reset"}
        ends = ends_of(listener)
        assert {run_id: ends[run_id] for run_id in wanted} == dict.fromkeys(wanted, 1)
        states = {run_id: (await world.gateway.run_state(run_id)).status for run_id in wanted}
        assert states == {
            "answered": "ok",
            "steered": "ok",
            "failed": "error",
            "stopped": "aborted",
            "dropped": "aborted",
            "command": "ok",
            "stop": "ok",
            "reset": "ok",
        }
        await world.restart(kill=True)
        after = {run_id: (await world.gateway.run_state(run_id)).status for run_id in wanted}
        assert after == states


@story
async def test_collected_runs_all_end_with_the_turn_that_answers_them():
    gate = Gate()
    config = build_config(messages={"queue": {"mode": "collect", "debounceMs": 0}})
    script = then(lambda _: Reply(text="first", before_chunk=gate), echo_script)
    async with GatewayInMemory(config, runner=ScriptedRunner(script)) as world:
        listener = Listener(world)
        await ask(world, "one", run_id="r1")
        await gate.reached.wait()
        await ask(world, "two", run_id="r2")
        await ask(world, "three", run_id="r3")
        gate.open()
        await world.settle()
        assert ends_of(listener) == {"r1": 1, "r2": 1, "r3": 1}
        assert (await world.gateway.run_state("r3")).status == "ok"
        await world.restart(kill=True)
        assert (await world.gateway.run_state("r3")).status == "ok"


@story
async def test_whoever_waits_for_a_run_hears_when_it_ends():
    import asyncio

    gate = Gate()
    runner = ScriptedRunner(play(Reply(text="done", before_chunk=gate)))
    async with GatewayInMemory(build_config(), runner=runner) as world:
        await ask(world, "hello", run_id="r1")
        waiting = asyncio.ensure_future(world.gateway.wait_run("r1", timeout_ms=60_000))
        await gate.reached.wait()
        assert (await world.gateway.wait_run("r1", timeout_ms=0)).status == "running"
        gate.open()
        state = await waiting
        assert (state.status, state.session_key) == ("ok", DIRECT)
        assert await world.gateway.wait_run("nobody", timeout_ms=60_000) is None


@story
async def test_waiting_for_a_run_has_a_limit():
    import asyncio

    gate = Gate()
    runner = ScriptedRunner(play(Reply(text="done", before_chunk=gate)))
    async with GatewayInMemory(build_config(), runner=runner) as world:
        await ask(world, "hello", run_id="r1")
        await gate.reached.wait()
        waiting = asyncio.ensure_future(world.gateway.wait_run("r1", timeout_ms=5_000))
        await until(lambda: world.clock.sleepers > 1)
        await world.run_for(6)
        assert (await waiting).status == "running"
        gate.open()


@story
async def test_a_listener_that_fails_stops_nobody():
    async with GatewayInMemory(build_config()) as world:

        def broken(event):
            raise RuntimeError

        world.gateway.events.subscribe(broken)
        listener = Listener(world)
        await ask(world, "hello", run_id="r1")
        await world.settle()
        assert ends_of(listener) == {"r1": 1}
        assert await read_lines(world) == ["user: hello", "assistant: You said: hello"]


@story
async def test_tools_of_one_run_are_told_once_each():
    look = Look()
    look.gate.open()
    runner = ScriptedRunner(play(Reply(calls=(call("look"), call("look"))), "done"))
    async with GatewayInMemory(build_config(), runner=runner, tools={"look": look}) as world:
        listener = Listener(world)
        await ask(world, "look twice", run_id="r1")
        await world.settle()
        tools = [event for event in listener.events if isinstance(event, ToolStarted | ToolEnded)]
        assert [(type(event).__name__, event.call_id) for event in tools] == [
            ("ToolStarted", "call_1"),
            ("ToolEnded", "call_1"),
            ("ToolStarted", "call_2"),
            ("ToolEnded", "call_2"),
        ]
