"""What sub-agents do ends with the work of the session that started them (CMD-26, RPC-35)."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from instar.core.model.ids import SessionKey
from instar.core.model.view import NewSession
from instar.gateway.gateway import DRAIN_S
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import ScriptedRunner
from instar.testing.script import Reply
from tests.builders.stories import (
    DIRECT,
    Gate,
    ask,
    build_config,
    read_decisions,
    read_inbox,
    sent_texts,
    story,
    until,
)
from tests.flow.test_store_refuses import RefusingAt

SIDE, CHILD, SECOND, GRANDCHILD, OTHERS = (
    SessionKey(f"agent:main:{rest}")
    for rest in ("dashboard:side", "subagent:1", "subagent:2", "subagent:3", "subagent:4")
)


def build_world(gate, **more):
    """Every answer waits at the gate, each message has a turn of its own, and sub-agents may start others."""
    return GatewayInMemory(
        build_config(
            messages={"queue": {"mode": "followup", "debounceMs": 0}},
            agents={"defaults": {"subagents": {"maxSpawnDepth": 2}}},
        ),
        runner=ScriptedRunner(lambda _asked: Reply(text="never said", before_chunk=gate)),
        **more,
    )


async def start(world, key, *, by, runs=1):
    await world.gateway.sessions.create(NewSession(key=key, parent_key=by), who="agent")
    for number in range(runs):
        await ask(world, f"go {number}", key=key, run_id=f"{key} {number}")


@asynccontextmanager
async def unstoppable_world():
    """The session and a sub-agent both run, the store refuses to end either, and `/stop` was said."""
    gate, fuse = Gate(), RefusingAt("before change abort_turn", times=1_000)
    async with build_world(gate, fuse=fuse) as world:
        await post(world, "one")
        await gate.reached.wait()
        await start(world, CHILD, by=DIRECT)
        await until(lambda: world.runner.running == 2)
        await post(world, "/stop")
        yield world, fuse


async def post(world, text, *, sender="ann"):
    await world.channel("telegram").post(text, sender=sender)


@pytest.mark.parametrize("word", ["/stop", "stop"])
def test_a_stop_ends_all_below_the_session_and_nothing_else(word):
    @story
    async def play():
        gate = Gate()
        async with build_world(gate) as world:
            await post(world, "one")
            await post(world, "hello", sender="bob")
            await until(lambda: world.runner.running == 2)
            await start(world, CHILD, by=DIRECT, runs=2)
            await start(world, SECOND, by=DIRECT, runs=0)
            await start(world, GRANDCHILD, by=CHILD)
            await world.gateway.sessions.patch(GRANDCHILD, {"archived": True}, who="owner")
            await start(world, OTHERS, by=SessionKey("agent:main:telegram:direct:bob"))
            await until(lambda: world.runner.running == 5 and world.gateway.lanes.get(CHILD).waiting_count == 1)
            await post(world, word)
            await until(lambda: "Stopped, with 2 sub-agents." in sent_texts(world, to="ann"))
            assert world.runner.running == 2
            assert [state for _, state, _ in await read_inbox(world, CHILD)] == ["answered", "expired"]
            for key in (DIRECT, CHILD, GRANDCHILD):
                assert (await world.store.load_session(key)).counters.aborted_last_run
            (row,) = await read_decisions(world, GRANDCHILD, kind="queue")
            assert (row.decision.outcome, row.decision.rule) == ("aborted", "CMD-26")
            assert row.decision.inputs == {"runs": 1, "by": DIRECT}
            gate.open()
            await world.settle()
            assert sent_texts(world, to="bob") == ["never said"]
            assert not (await world.store.load_session(OTHERS)).counters.aborted_last_run

    play()


@story
async def test_sub_agents_are_stopped_also_where_the_session_itself_rests():
    gate = Gate()
    async with build_world(gate) as world:
        await world.gateway.sessions.create(NewSession(key=DIRECT), who="owner")
        await start(world, CHILD, by=DIRECT)
        await gate.reached.wait()
        await post(world, "/stop")
        await world.settle()
        assert sent_texts(world)[-1] == "Stopped 1 sub-agent."
        await post(world, "/stop")
        await world.settle()
        assert sent_texts(world)[-1] == "Nothing was running."


@story
async def test_a_sub_agent_that_cannot_be_stopped_in_time_is_told_of():
    gate = Gate()
    fuse = RefusingAt("before change abort_turn", times=1_000)
    async with build_world(gate, fuse=fuse) as world:
        await world.gateway.sessions.create(NewSession(key=DIRECT), who="owner")
        await start(world, CHILD, by=DIRECT)
        await gate.reached.wait()
        await post(world, "/stop")
        await world.run_for(20)
        assert sent_texts(world) == ["Stopped. 1 sub-agent did not stop in time; try again."]
        fuse.kill()


@story
async def test_sub_agents_are_stopped_also_where_the_turn_of_the_session_does_not_end_in_time():
    async with unstoppable_world() as (world, fuse):
        await world.run_for(40)
        assert world.runner.running == 0
        assert [text.split(":")[0] for text in sent_texts(world)] == ["The running turn did not stop"]
        fuse.kill()


@story
async def test_a_gateway_that_stops_does_not_wait_for_a_stop_that_waits_and_does_it_after_the_start():
    async with unstoppable_world() as (world, fuse):
        await until(lambda: "before change abort_turn" in fuse.steps)
        with capture_logs() as logs:
            stopping = asyncio.ensure_future(world.gateway.stop("shutdown"))
            await until(lambda: world.gateway._is_draining)
            await world.run_for(DRAIN_S)
            await stopping
        assert [line for line in logs if line["event"] == "work_left_behind"] == []
        await world.restart(kill=True)  # with a store that takes everything
        await world.settle()
        assert sent_texts(world) == ["Stopped, with 1 sub-agent."]
        assert [state for _, state, _ in await read_inbox(world)] == ["answered", "command"]


@story
async def test_a_session_that_is_deleted_takes_the_work_of_its_sub_agents_with_it():
    gate = Gate()
    async with build_world(gate) as world:
        await world.gateway.sessions.create(NewSession(key=SIDE), who="owner")
        await start(world, CHILD, by=SIDE)
        await gate.reached.wait()
        deleted = await world.gateway.sessions.delete(SIDE, delete_transcript=True, who="owner")
        await world.settle()
        assert deleted.deleted
        assert (await world.store.load_session(CHILD)).counters.aborted_last_run
        (row,) = await read_decisions(world, CHILD, kind="queue")
        assert row.decision.rule == "RPC-35"
