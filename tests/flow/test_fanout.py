"""Runs beside others: each on a snapshot of the context, the lines of each together in the transcript (QUEUE-9)."""

from __future__ import annotations

import pytest

from instar.core.model.change import TurnOptions
from instar.core.model.event import MessageStored
from instar.core.turn.recover import INTERRUPTED_TEXT
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import ScriptedRunner
from instar.testing.script import Reply, call, echo_script
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
    until,
)
from tests.flow.test_steering import Look


def build_world(script=echo_script, *, tools=None, **root):
    config = build_config(messages={"queue": {"mode": "fanout", "debounceMs": 0}}, **root)
    return GatewayInMemory(config, runner=ScriptedRunner(script), tools=tools)


def gated(**gates):
    """Answers each message once its gate is open; what has no gate is answered at once."""

    def script(asked):
        words = asked.last_user_text.split()[-1]
        return Reply(text=f"re {words}", before_chunk=gates.get(words))

    return script


async def post(world, text):
    await world.channel("telegram").post(text, sender="ann")


async def parents(world):
    """Each line of the active branch hangs on the one before it."""
    session = await world.store.load_session(DIRECT)
    page = await world.store.load_entries(session.session_id)
    entries = [one.entry for one in page.entries]
    assert [entry.parent_id for entry in entries] == [None, *(entry.id for entry in entries[:-1])]
    assert page.head.is_linear
    return len(entries)


@story
async def test_the_lines_of_each_run_stand_together_in_the_order_in_which_runs_end():
    slow, quick = Gate(), Gate()
    async with build_world(gated(slow=slow, quick=quick)) as world:
        await post(world, "zero")
        await world.settle()
        await post(world, "slow")
        await slow.reached.wait()
        await post(world, "quick")
        await quick.reached.wait()
        # Nothing of a run is in the transcript before its end; it is committed all the same.
        assert await read_lines(world) == ["user: zero", "assistant: re zero"]
        assert [state for _, state, _ in await read_inbox(world)] == ["answered", "running", "running"]
        quick.open()
        await until(lambda: "re quick" in sent_texts(world))
        slow.open()
        await world.settle()
        assert await read_lines(world) == [
            "user: zero",
            "assistant: re zero",
            "user: quick",
            "assistant: re quick",
            "user: slow",
            "assistant: re slow",
        ]
        assert await parents(world) == 6


@story
async def test_a_run_sees_the_context_as_it_was_and_its_own_lines():
    first, second = Gate(), Gate()
    async with build_world(gated(first=first, second=second)) as world:
        await post(world, "first")
        await first.reached.wait()
        await post(world, "second")
        await second.reached.wait()
        seen = [str(message.content) for message in world.runner.requests[-1].messages]
        assert seen == ["second"]
        first.open()
        second.open()
        await world.settle()
        await post(world, "third")
        await world.settle()
        # The next run sees both, as they stand in the transcript.
        assert len(world.runner.requests[-1].messages) == 5


@pytest.mark.parametrize("kill", [True, False])
def test_tool_calls_of_runs_are_kept_together_over_a_cut(kill):
    @story
    async def play():
        look = Look()

        def script(asked):
            if asked.last is not None and asked.last.role == "user":
                return Reply(text="looking", calls=(call("look", at=asked.last_user_text),))
            return Reply(text=f"done {asked.last_user_text}")

        world = build_world(script, tools={"look": look})
        async with world:
            for number in (1, 2):
                await post(world, f"m{number}")
                await until(lambda number=number: len(look.ran) == number)
            if kill:
                await world.restart(kill=True)
            else:
                look.gate.open()
            await world.settle()
            lines = await read_lines(world)
            assert len(lines) == 8
            runs = sorted((lines[:4], lines[4:]))
            for number, run in enumerate(runs, 1):
                assert run[0] == f"user: m{number}"
                assert run[1].startswith("assistant: looking")
                assert run[2].startswith("look → ")
                assert (INTERRUPTED_TEXT in run[2]) is kill
                assert run[3] == f"assistant: done m{number}"
            assert await parents(world) == 8
            assert [state for _, state, _ in await read_inbox(world)] == ["answered", "answered"]

    play()


@story
async def test_a_run_that_is_stopped_keeps_what_was_said_together():
    gate, other = Gate(), Gate()
    async with build_world(gated(one=gate, two=other)) as world:
        await post(world, "one")
        await gate.reached.wait()
        await post(world, "two")
        await other.reached.wait()
        await world.gateway.sessions.abort(DIRECT, None, who="ann")
        await world.settle()
        lines = await read_lines(world)
        assert [line for line in lines if line.startswith("user")] in (
            ["user: one", "user: two"],
            ["user: two", "user: one"],
        )
        assert len(lines) == 4
        assert lines[1].startswith("assistant")
        assert await parents(world) == 4


@story
async def test_a_reset_closes_a_transcript_in_which_every_run_has_its_place():
    gate = Gate()
    async with build_world(gated(one=gate)) as world:
        await post(world, "one")
        await gate.reached.wait()
        old = (await world.store.load_session(DIRECT)).session_id
        await world.gateway.sessions.reset(DIRECT, reason="new", who="ann")
        await world.settle()
        assert (await read_lines(world, session_id=old))[0] == "user: one"
        assert await read_lines(world) == []


@story
async def test_listeners_hear_of_lines_when_they_have_their_place():
    gate = Gate()
    async with build_world(gated(one=gate)) as world:
        listener = Listener(world)
        await post(world, "one")
        await gate.reached.wait()
        assert stored(listener) == []
        gate.open()
        await world.settle()
        assert stored(listener) == [(1, "UserMessage"), (2, "AssistantMessage")]


def stored(listener):
    events = [event for event in listener.events if isinstance(event, MessageStored)]
    return [(event.seq, type(event.entry.message).__name__) for event in events]


@story
async def test_a_message_steers_into_the_only_run_and_stands_among_its_lines():
    look = Look()

    def script(asked):
        if asked.last_user_text == "look":
            return Reply(text="looking", calls=(call("look", at="x"),))
        return Reply(text=f"done {asked.last_user_text}")

    async with build_world(script, tools={"look": look}) as world:
        await post(world, "look")
        await look.gate.reached.wait()
        await ask(world, "hurry", options=TurnOptions(queue_mode="steer", deliver=True))
        look.gate.open()
        await world.settle()
        assert await read_lines(world) == [
            "user: look",
            "assistant: looking [look]",
            "look → seen x",
            "user: hurry",
            "assistant: done hurry",
        ]
        assert await parents(world) == 5


@story
async def test_a_session_of_runs_is_compacted_when_one_has_ended():
    config = {"agents": {"defaults": {"compaction": {"keepRecentTokens": 500, "reserveTokens": 195_000}}}}

    def script(asked):
        return Reply(text="A record. " + "word " * 300)

    async with build_world(script, **config) as world:
        for number in range(8):
            await post(world, f"{number} " + "long " * 900)
            await world.settle()
        session = await world.store.load_session(DIRECT)
        assert session.counters.compaction_count >= 1
        assert len(await read_lines(world)) >= 16
