"""What runs beside others see and say: the same window as other turns, one line about a reset (QUEUE-9, LOSS-7)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instar.core.model.entry import TextBlock
from instar.core.transcript.text import message_text
from instar.ports.tool import ToolOutput, ToolSpec
from instar.testing.clock import ManualClock
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import SCRIPTED_MODEL, ScriptedRunner
from instar.testing.script import Fault, Reply, call
from tests.builders.requests import find_fault, is_summary
from tests.builders.stories import (
    DIRECT,
    Gate,
    at,
    build_config,
    play_story,
    read_decisions,
    read_lines,
    sent_texts,
    story,
    until,
)

SMALL = replace(SCRIPTED_MODEL, context_window=8_192)
RECORD = "## Goal\nThey talk about herons.\n## Progress\nA lot was said."
LONG = "heron " * 150
IDLE = "New session (nothing was written for 1 hour). /resume brings the last one back."


def build_world(script, *, mode="fanout", model=SMALL, tools=None, clock=None, **root):
    config = build_config(messages={"queue": {"mode": mode, "debounceMs": 0}}, **root)
    return GatewayInMemory(config, runner=ScriptedRunner(script), model=model, tools=tools, clock=clock)


async def post(world, text):
    await world.channel("telegram").post(text, sender="ann")


async def say(world, *texts):
    for text in texts:
        await post(world, text)
        await world.settle()


def summaries_of(world):
    return [request for request in world.runner.requests if is_summary(request.system)]


def words_of(request):
    return "\n".join(message_text(message) for message in request.messages)


def compactions(rows):
    return [row.decision for row in rows if row.decision.outcome == "compacted"]


@pytest.mark.parametrize("first", ["one", "two"])
def test_two_answers_side_by_side_tell_of_a_reset_once(first):
    gates = {"one": Gate(), "two": Gate()}

    def script(asked):
        words = asked.last_user_text
        return Reply(text=f"re {words}", before_chunk=gates.get(words))

    async def play():
        session = {"reset": {"mode": "idle", "idleMinutes": 60}}
        clock = ManualClock(at("2026-03-10 12:00"))
        async with build_world(script, clock=clock, session=session) as world:
            await say(world, "zero")
            world.clock.jump(at("2026-03-10 14:00"))
            for name, gate in gates.items():
                await post(world, name)
                await gate.reached.wait()
            for name in (first, "two" if first == "one" else "one"):
                gates[name].open()
                await until(lambda name=name: any(f"re {name}" in text for text in sent_texts(world)))
            await world.settle()
            later = "two" if first == "one" else "one"
            assert sent_texts(world) == ["re zero", f"{IDLE}\n\nre {first}", f"re {later}"]

    play_story(play())


@story
async def test_a_prompt_of_a_run_that_the_provider_refuses_is_summarised_and_asked_again():
    refusals = iter([True])

    def script(asked):
        if is_summary(asked.system):
            return Reply(text=RECORD)
        if asked.last_user_text == "last" and next(refusals, False):
            return Reply(fault=Fault(kind="overflow"))
        return Reply(text="Fine.")

    async with build_world(script) as world:
        await say(world, *[LONG] * 12, "last")
        assert sent_texts(world)[-1] == "Fine."
        (decision,) = compactions(await read_decisions(world, kind="compact"))
        assert decision.inputs["reason"] == "overflow"
        assert RECORD in words_of(world.runner.requests[-1])
        assert words_of(world.runner.requests[-1]).endswith("last")
        lines = await read_lines(world)
        assert lines[-3:] == ["(CompactionEntry)", "user: last", "assistant: Fine."]
        assert all(find_fault(request.messages) is None for request in world.runner.requests)


class TooMuchOnce:
    """A script that finds the context of `one` and of `two` too large, each once; summaries wait at `recording`."""

    def __init__(self):
        self.recording = Gate()
        self.refused: set[str] = set()

    def __call__(self, asked):
        if is_summary(asked.system):
            return Reply(text=RECORD, before_chunk=self.recording)
        words = asked.last_user_text
        if words in ("one", "two") and words not in self.refused:
            self.refused.add(words)
            return Reply(fault=Fault(kind="overflow"))
        return Reply(text=f"re {words[:5]}")


@story
async def test_two_runs_that_do_not_fit_ask_for_one_summary():
    model = TooMuchOnce()
    async with build_world(model) as world:
        await say(world, *[LONG] * 12)
        await post(world, "one")
        await model.recording.reached.wait()
        await post(world, "two")
        await until(lambda: model.refused == {"one", "two"})
        model.recording.open()
        await world.settle()
        assert set(sent_texts(world)[-2:]) == {"re one", "re two"}
        assert len(summaries_of(world)) == 1
        assert len(compactions(await read_decisions(world, kind="compact"))) == 1
        assert all(RECORD in words_of(request) for request in world.runner.requests[-2:])


@story
async def test_a_run_whose_own_lines_are_too_much_goes_on_with_less_and_says_so():
    class Reader:
        spec = ToolSpec(name="read", description="Reads.", parameters={"type": "object", "properties": {}})

        async def call(self, context, arguments):
            return ToolOutput(content=(TextBlock(text="page " * 1_200),))

    def script(asked):
        if asked.last is not None and asked.last.role == "user":
            return Reply(calls=(call("read"),))
        is_long = sum(len(one.text) for one in asked.spoken) > 4_000
        return Reply(fault=Fault(kind="overflow")) if is_long else Reply(text="Read it.")

    async with build_world(script, tools={"read": Reader()}) as world:
        await say(world, "read")
        assert sent_texts(world)[-1].endswith("Read it.")
        assert "knows only its newest part" in sent_texts(world)[-1]
        assert f"read → {'page ' * 1_200}" in await read_lines(world)
        assert find_fault(world.runner.requests[-1].messages) is None


@story
async def test_the_limits_of_a_person_compact_before_a_run_too():
    def script(asked):
        return Reply(text=RECORD if is_summary(asked.system) else "Fine.")

    sizes = {}
    for mode in ("followup", "fanout"):
        async with build_world(script, mode=mode, session={"maxMessages": 6}) as world:
            await say(world, *[f"{number} {LONG}" for number in range(8)])
            reasons = {each.inputs["reason"] for each in compactions(await read_decisions(world, kind="compact"))}
            assert reasons == {"limits"}
            requests = [one for one in world.runner.requests if not is_summary(one.system)]
            assert all(find_fault(request.messages) is None for request in requests)
            sizes[mode] = [len(request.messages) for request in requests]
    # The line of the run itself is in no transcript yet: it stands behind what is kept.
    assert max(sizes["fanout"]) <= max(sizes["followup"]) + 1


@story
async def test_a_run_that_is_stopped_in_the_middle_of_a_summary_leaves_it_to_the_others():
    model = TooMuchOnce()
    async with build_world(model) as world:
        await say(world, *[LONG] * 12)
        await post(world, "one")
        await model.recording.reached.wait()
        (run_id,) = world.gateway.lanes.active_turn_ids(DIRECT)
        await post(world, "two")
        await until(lambda: model.refused == {"one", "two"})
        await world.gateway.sessions.abort(DIRECT, run_id, who="ann")
        await until(lambda: len(summaries_of(world)) == 2)
        model.recording.open()
        await world.settle()
        assert sent_texts(world)[-1] == "re two"
        assert len(compactions(await read_decisions(world, kind="compact"))) == 1
