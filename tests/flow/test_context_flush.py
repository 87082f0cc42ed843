"""Notes before a summary: a silent turn, once for each compaction (FLUSH-1…6)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instar.core.model.entry import TextBlock, Usage
from instar.core.model.query import SpendingQuery
from instar.ports.tool import ToolOutput, ToolSpec
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import SCRIPTED_MODEL, ScriptedRunner
from instar.testing.script import Fault, Reply, call
from tests.builders.requests import find_fault
from tests.builders.stories import DIRECT, build_config, read_decisions, read_lines, sent_texts, story

SMALL = replace(SCRIPTED_MODEL, context_window=8_192, price={"output": 1_000_000.0})
"""Its context is summarised above 4,096 tokens, so notes are due from 3,096 on with a soft threshold of 1,000."""


class Writer:
    """A tool that keeps what is written."""

    spec = ToolSpec(name="write", description="Writes.", parameters={"type": "object", "properties": {}})

    def __init__(self):
        self.notes = []

    async def call(self, context, arguments):
        self.notes.append(arguments["text"])
        return ToolOutput(content=(TextBlock(text="written"),))


def asks_for_notes(asked):
    return "Write what must be remembered" in asked.last_user_text


def build_script(*, total, notes=("They like herons.",), fault=None):
    """Answers that say how full the window is; a flush writes its notes with the tool, then is silent."""
    waiting = list(notes)

    def script(asked):
        if asks_for_notes(asked) and fault is not None:
            return Reply(fault=fault)
        if asks_for_notes(asked) and waiting:
            return Reply(calls=(call("write", text=waiting.pop(0)),))
        text = "NO_REPLY" if asks_for_notes(asked) else "Fine."
        return Reply(text=text, usage=Usage(input=total - 1, output=1, total_tokens=total))

    return script


def build_world(script, *, tools=None, memory=None, **flush):
    compaction = {"memoryFlush": {"softThresholdTokens": 1_000, **flush}}
    config = build_config(agents={"defaults": {"compaction": compaction}}, memory=memory or {})
    return GatewayInMemory(config, runner=ScriptedRunner(script), model=SMALL, tools=tools)


async def say(world, *texts):
    for text in texts:
        await world.channel("telegram").post(text, sender="ann")
        await world.settle()


@story
async def test_notes_are_written_in_silence_before_the_persons_turn():
    writer = Writer()
    async with build_world(build_script(total=3_500), tools={"write": writer}) as world:
        await say(world, "one", "two", "three")
        assert writer.notes == ["They like herons."]
        assert sent_texts(world) == ["Fine."] * 3
        assert await read_lines(world) == [
            "user: one",
            "assistant: Fine.",
            "(instar.flush)",
            "assistant: [write]",
            "write → written",
            "assistant: NO_REPLY",
            "user: two",
            "assistant: Fine.",
            "user: three",
            "assistant: Fine.",
        ]
        assert all(find_fault(request.messages) is None for request in world.runner.requests)
        assert "nobody reads the answer" in world.runner.requests[1].system
        session = await world.store.load_session(DIRECT)
        assert session.counters.memory_flush_compaction_count == session.counters.compaction_count == 0
        assert session.counters.memory_flush_at == world.clock.now()
        outcomes = [row.decision.outcome for row in await read_decisions(world, kind="flush")]
        assert outcomes == ["flush", "flushed"]
        assert await world.store.sum_spending(SpendingQuery(since=0)) > 0
        assert {row.calls for row in await world.store.sum_usage()} == {5}


@pytest.mark.parametrize(
    "options",
    [
        {"tools": None},
        {"memory": {"enabled": False}},
        {"enabled": False},
        {"softThresholdTokens": 100},
    ],
    ids=["nothing writes", "no memory", "switched off", "not yet due"],
)
def test_there_is_no_flush(options):
    @story
    async def play():
        tools = options.pop("tools", {"write": Writer()})
        async with build_world(build_script(total=3_500), tools=tools, **options) as world:
            await say(world, "one", "two")
            assert len(world.runner.requests) == 2
            assert await read_decisions(world, kind="flush") == []

    play()


@story
async def test_a_session_that_starts_over_needs_no_notes():
    async with build_world(build_script(total=3_500), tools={"write": Writer()}) as world:
        await say(world, "one", "/new two")
        await world.clock.run_for(24 * 3600)
        await say(world, "three")
        assert await read_decisions(world, kind="flush") == []


@story
async def test_a_provider_that_fails_is_asked_once_and_the_person_gets_an_answer():
    script = build_script(total=3_500, fault=Fault(kind="server"))
    async with build_world(script, tools={"write": Writer()}) as world:
        await say(world, "one", "two", "three")
        assert sent_texts(world) == ["Fine."] * 3
        outcomes = [row.decision.outcome for row in await read_decisions(world, kind="flush")]
        assert outcomes == ["flush", "failed"]


@story
async def test_an_answer_that_is_no_silence_is_kept_and_not_delivered():
    def script(asked):
        text = "I noted that they like herons." if asks_for_notes(asked) else "Fine."
        return Reply(text=text, usage=Usage(input=3_499, output=1, total_tokens=3_500))

    async with build_world(script, tools={"write": Writer()}) as world:
        await say(world, "one", "two")
        assert sent_texts(world) == ["Fine.", "Fine."]
        assert "assistant: I noted that they like herons." in await read_lines(world)
