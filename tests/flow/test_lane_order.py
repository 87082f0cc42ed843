"""Runs of one session begin in the order in which they came, those that were stopped meanwhile too (QUEUE-9)."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace

from instar.gateway.lane import Lane
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import ScriptedRunner
from tests.builders.stories import (
    DIRECT,
    Gate,
    ask,
    build_config,
    read_inbox,
    read_lines,
    story,
    until,
)
from tests.flow.test_fanout import gated


class Host:
    """What a lane asks of the gateway around it, with so many places; notes what it is told to write."""

    def __init__(self, places):
        self.clock = None
        self.written = []
        self._places = asyncio.Semaphore(places)

    def slots(self, key):
        assert key == DIRECT
        return self._places

    async def end_messages(self, key, items, dropped):
        assert key == DIRECT
        self.written += [(item.inbound_id, one.reason) for item, one in zip(items, dropped, strict=True)]

    async def record(self, name, key, change):
        assert key == DIRECT
        self.written.append((name, change.shown))


class Runs:
    """Runs of one lane; `begun` are those that began, in order."""

    def __init__(self, lane):
        self.lane = lane
        self.begun = []

    def launch(self, turn_id, *, turns=0, told_of=()):
        """Launch a run whose begin takes so many turns of the loop."""

        async def run(*, resume):
            assert not resume
            for _ in range(turns):
                await asyncio.sleep(0)
            self.begun.append(turn_id)

        items = (SimpleNamespace(inbound_id=f"in-{turn_id}"),)
        work = SimpleNamespace(turn_id=turn_id, items=items, run=run, stop=lambda _cause: None)
        self.lane._launch(work, resume=False, told_of=told_of)

    def stop(self, *turn_ids):
        for turn_id in turn_ids:
            self.lane._stop_turn(turn_id, "abort")


@contextlib.asynccontextmanager
async def open_runs(host):
    """Inside, runs are launched and stopped; leaving, they come to their end."""
    async with asyncio.TaskGroup() as group:
        lane = Lane(DIRECT, host, group)
        yield Runs(lane)
    await lane._pay()


@story
async def test_a_run_that_was_stopped_before_it_began_does_not_overtake_an_earlier_one():
    host = Host(places=0)
    async with open_runs(host) as runs:
        runs.launch("slow", turns=5)
        runs.launch("quick")
        runs.stop("slow", "quick")
    assert runs.begun == ["slow", "quick"]
    assert host.written == []


@story
async def test_a_run_that_is_stopped_alone_neither_overtakes_one_that_waits_nor_waits_for_it():
    host = Host(places=0)
    async with open_runs(host) as runs:
        runs.launch("waits")
        runs.launch("stopped", told_of=("in-fell",))
        runs.launch("later")
        runs.stop("stopped")
        await until(runs.lane.tasks[1].done)
        assert not any(runs.lane.tasks[place].done() for place in (0, 2))
        host.slots(DIRECT).release()
    assert runs.begun == ["waits", "later"]
    # As a message that waited; what it would have told of is not told at all.
    assert host.written == [("in-stopped", "aborted"), ("forget_left_out", ("in-fell",))]


@story
async def test_a_run_that_has_a_place_and_is_slow_to_begin_is_not_waited_for_either():
    host = Host(places=1)
    async with open_runs(host) as runs:
        runs.launch("slow", turns=50)
        runs.launch("stopped")
        await asyncio.sleep(0)
        runs.stop("stopped")
        await until(runs.lane.tasks[1].done)
        assert runs.begun == []
    assert runs.begun == ["slow"]
    assert host.written == [("in-stopped", "aborted")]


@story
async def test_an_abort_of_one_run_is_not_held_up_by_another_that_waits_for_a_place():
    gates = {"bob": Gate(), "cem": Gate()}
    queue = {"mode": "fanout", "debounceMs": 0}
    config = build_config(agents={"defaults": {"maxConcurrent": 2}}, messages={"queue": queue})
    async with GatewayInMemory(config, runner=ScriptedRunner(gated(**gates))) as world:
        for sender, gate in gates.items():
            await world.channel("telegram").post(sender, sender=sender)
            await gate.reached.wait()
        await world.channel("telegram").post("one", sender="ann")
        await ask(world, "two", run_id="r2")
        await until(lambda: len(world.gateway.lanes.active_turn_ids(DIRECT)) == 2)
        before = world.clock.monotonic()
        assert await world.gateway.sessions.abort(DIRECT, "r2", who="operator") == ("r2",)
        assert world.clock.monotonic() == before
        assert (await world.gateway.run_state("r2")).status == "aborted"
        for gate in gates.values():
            gate.open()
        await world.settle()
        assert await read_lines(world) == ["user: one", "assistant: re one"]
        assert await read_inbox(world) == [("one", "answered", None), ("two", "expired", "aborted")]
