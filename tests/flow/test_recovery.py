"""What a start makes of what a crash left: turns of several messages, several turns, commands, the mirror (LOSS-4)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from instar.config.config import parse_config
from instar.core.model.event import RunEnded, RunStarted
from instar.core.turn.recover import INTERRUPTED_TEXT
from instar.stores.mirror import open_mirror
from instar.stores.mirror_places import MirrorPlaces
from instar.stores.sqlite import SqliteStore
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import ScriptedRunner
from instar.testing.script import Reply, call, echo_script, play
from tests.builders.stories import (
    DIRECT,
    Gate,
    Listener,
    ask,
    build_config,
    read_decisions,
    read_inbox,
    read_lines,
    sent_texts,
    story,
    then,
    until,
)
from tests.flow.test_steering import Look


def build_world(*scripts, mode="followup", **more):
    config = build_config(messages={"queue": {"mode": mode, "debounceMs": 0}})
    return GatewayInMemory(config, runner=ScriptedRunner(then(*scripts)), **more)


def held(gate):
    return lambda asked: Reply(text=f"You said: {asked.last_user_text}", before_chunk=gate)


@story
async def test_a_turn_of_several_messages_goes_on_with_all_of_them():
    first, second = Gate(), Gate()
    async with build_world(held(first), held(second), echo_script, mode="collect") as world:
        await world.channel("telegram").post("one", sender="ann")
        await first.reached.wait()
        await ask(world, "two", run_id="r2")
        await ask(world, "three", run_id="r3")
        first.open()
        await second.reached.wait()
        await world.restart(kill=True)
        listener = Listener(world)
        await world.settle()
        assert (await read_lines(world))[2:4] == ["user: two", "user: three"]
        assert len(await read_lines(world)) == 5
        assert [state for _, state, _ in await read_inbox(world)] == ["answered", "answered", "merged"]
        (end,) = [event for event in listener.events if isinstance(event, RunEnded)]
        assert {end.turn_id, *end.also} == {"r2", "r3"}


@story
async def test_turns_that_ran_side_by_side_all_go_on():
    gates = [Gate(), Gate()]
    async with build_world(held(gates[0]), held(gates[1]), echo_script, mode="fanout") as world:
        for number, gate in enumerate(gates, 1):
            await world.channel("telegram").post(f"m{number}", sender="ann")
            await gate.reached.wait()
        await world.restart(kill=True)
        await world.settle()
        lines = await read_lines(world)
        # Whichever ended first, the lines of each stand together (QUEUE-9).
        pairs = sorted((lines[0:2], lines[2:4]))
        assert pairs == [[f"user: m{number}", f"assistant: You said: m{number}"] for number in (1, 2)]
        assert len(lines) == 4
        assert [state for _, state, _ in await read_inbox(world)] == ["answered", "answered"]
        assert len(sent_texts(world)) == 2


@story
async def test_tools_of_turns_that_ran_side_by_side_are_each_told_to_have_been_cut_off():
    look = Look()
    calls = lambda _: Reply(calls=(call("look", at="x"),))  # noqa: E731 - a script
    world = build_world(calls, calls, lambda _: Reply(text="I will check"), mode="fanout", tools={"look": look})
    async with world:
        for number in (1, 2):
            await world.channel("telegram").post(f"m{number}", sender="ann")
            await until(lambda number=number: len(look.ran) == number)
        await world.restart(kill=True)
        await world.settle()
        lines = await read_lines(world)
        assert lines.count(f"look → error: {INTERRUPTED_TEXT}") == 2
        assert len(look.ran) == 2
        assert [state for _, state, _ in await read_inbox(world)] == ["answered", "answered"]


@story
async def test_a_turn_that_is_cut_off_again_and_again_comes_to_its_end():
    gates = [Gate() for _ in range(4)]
    async with build_world(*(held(gate) for gate in gates), echo_script) as world:
        await world.channel("telegram").post("hello", sender="ann")
        for gate in gates:
            await gate.reached.wait()
            await world.restart(kill=True)
        await world.settle()
        assert await read_lines(world) == ["user: hello", "assistant: You said: hello"]
        assert sent_texts(world) == ["You said: hello"]
        assert len(await read_decisions(world, kind="recover")) == 4


@story
async def test_what_waits_keeps_its_order_over_a_crash():
    gate = Gate()
    async with build_world(held(gate), echo_script) as world:
        await world.channel("telegram").post("m1", sender="ann")
        await gate.reached.wait()
        for number in (2, 3, 4):
            await world.channel("telegram").post(f"m{number}", sender="ann")
        await world.restart(kill=True)
        await world.settle()
        assert sent_texts(world) == [f"You said: m{number}" for number in (1, 2, 3, 4)]


@pytest.mark.parametrize("text", ["/status", "/new tell me", "/compact"])
def test_a_command_that_was_cut_off_is_done_after_the_start(text):
    @story
    async def play_it():
        async with GatewayInMemory(build_config()) as world:
            await world.channel("telegram").post("hello", sender="ann")
            await world.settle()
            world.fuse.on = "after accept"
            posting = asyncio.ensure_future(world.channel("telegram").post(text, sender="ann", message_id="c1"))
            await world.fuse.blown.wait()
            posting.cancel()
            await world.restart(kill=True)
            await world.settle()
            assert (await read_inbox(world))[-1][0] == text
            assert (await read_inbox(world))[-1][1] in {"command", "answered"}
            assert len(sent_texts(world)) == 2

    play_it()


@story
async def test_a_turn_that_goes_on_tells_listeners_only_its_end():
    gate = Gate()
    async with build_world(held(gate), echo_script) as world:
        await ask(world, "hello", run_id="r1")
        await gate.reached.wait()
        await world.restart(kill=True)
        listener = Listener(world)
        await world.settle()
        ends = [event for event in listener.events if isinstance(event, RunEnded)]
        assert [(end.turn_id, end.state) for end in ends] == [("r1", "final")]
        assert not [event for event in listener.events if isinstance(event, RunStarted)]


@story
async def test_a_session_deleted_behind_the_gateways_back_leaves_no_turn_hanging():
    """Nobody does this while a gateway runs; its turn must end all the same."""
    gate = Gate()
    async with build_world(held(gate), echo_script) as world:
        await world.channel("telegram").post("hello", sender="ann")
        await gate.reached.wait()
        await world.store.delete_session(DIRECT, now=world.clock.now(), decisions=())
        gate.open()
        await world.settle()
        assert [state for _, state, _ in await read_inbox(world)] == ["expired"]
        await world.channel("telegram").post("again", sender="ann")
        await world.settle()
        assert await read_lines(world) == ["user: again", "assistant: You said: again"]


# --- the mirror -------------------------------------------------------------------------------------------------------


def read_mirror(folder: Path, key: str, head) -> list[str]:
    config = parse_config(build_config(), env={}, state_dir=folder, home=folder)
    path = MirrorPlaces.of(config).transcript(key, head.session_id, closed_at=head.closed_at)
    return [json.loads(line)["id"] for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("step", ["after change begin_turn", "model TextDelta", "before change finish_turn"])
def test_the_mirror_is_brought_level_after_a_crash(tmp_path, step):
    @story
    async def play_it():
        store = SqliteStore(tmp_path / "instar.db")
        config = parse_config(build_config(), env={}, state_dir=tmp_path, home=tmp_path)
        runner = ScriptedRunner(play("one", "two", "two"))
        async with GatewayInMemory(build_config(), store=store, runner=runner) as world:
            async with open_mirror(store, config, clock=world.clock) as mirror:
                await world.channel("telegram").post("first", sender="ann")
                await world.settle()
                await mirror.flush()
            world.fuse.on = step
            posting = asyncio.ensure_future(world.channel("telegram").post("second", sender="ann"))
            await world.fuse.blown.wait()
            posting.cancel()
            await world.restart(kill=True)
            async with open_mirror(store, config, clock=world.clock) as mirror:
                await world.settle()
                await mirror.flush()
            (head,) = await store.load_transcripts(DIRECT)
            page = await store.load_all_entries(head.session_id)
            assert read_mirror(tmp_path, DIRECT, head) == [
                head.session_id,
                *(stored.entry.id for stored in page.entries),
            ]
            assert len(page.entries) == 4

    play_it()
