"""A long conversation in a small window: it goes on, within the window, and nothing of it is lost (COMPACT-*)."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

from instar.core.model.entry import CompactionEntry, MessageEntry, TextBlock, UserMessage
from instar.core.transcript.text import message_text
from instar.ports.tool import ToolOutput, ToolSpec
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import SCRIPTED_MODEL, ScriptedRunner
from instar.testing.script import Reply, call
from tests.builders.requests import estimate_request, find_fault, is_summary
from tests.builders.stories import DIRECT, Gate, build_config, read_decisions, sent_texts, story

WINDOW = 8_192
SMALL = replace(SCRIPTED_MODEL, context_window=WINDOW)
WORDS = ("river", "heron", "winter", "letter", "garden", "copper", "violin", "harbour", "sugar", "meadow")


class Reader:
    """A tool whose results are long and of many lengths."""

    spec = ToolSpec(name="read", description="Reads a page.", parameters={"type": "object", "properties": {}})

    async def call(self, context, arguments):
        rng = random.Random(context.call_id)
        return ToolOutput(content=(TextBlock(text=prose(rng, rng.choice([40, 200, 1500]))),))


def prose(rng, chars):
    return " ".join(rng.choice(WORDS) for _ in range(chars // 7))


def build_script(rng, *, gate=None):
    """Every third turn calls a tool, now and then two at once; summaries are short and say what they are."""
    numbers = itertools.count(1)

    def script(asked):
        if is_summary(asked.system):
            text = f"## Goal\nTalk about {prose(rng, 60)}.\n## Progress\n{prose(rng, 400)}"
            return Reply(text=text, before_chunk=gate)
        if asked.last is not None and asked.last.role == "tool":
            return Reply(text=f"I have read it. {prose(rng, 120)}")
        turn = next(numbers)
        if turn % 3 == 0:
            return Reply(text="Let me look.", calls=tuple(call("read", page=turn) for _ in range(1 + turn % 2)))
        return Reply(text=f"Answer {turn}. {prose(rng, 200)}")

    return script


def build_world(script, **config):
    return GatewayInMemory(build_config(**config), runner=ScriptedRunner(script), model=SMALL, tools={"read": Reader()})


async def talk(world, texts):
    for text in texts:
        await world.channel("telegram").post(text, sender="ann")
        await world.settle()


async def load_branch(world):
    session = await world.store.load_session(DIRECT)
    return [stored.entry for stored in (await world.store.load_entries(session.session_id)).entries]


def said(entries):
    """What the person wrote, in order."""
    messages = (entry.message for entry in entries if isinstance(entry, MessageEntry))
    return [message_text(message) for message in messages if isinstance(message, UserMessage)]


def check_requests(world):
    """Every request that the provider got is one it accepts, and fits."""
    for place, request in enumerate(world.runner.requests):
        assert find_fault(request.messages) is None, (place, find_fault(request.messages))
        assert estimate_request(request) <= WINDOW, (place, estimate_request(request))


@story
async def test_four_hundred_turns_with_tools_go_on_within_the_window():
    rng = random.Random(400)
    texts = [f"Message {number}: {prose(rng, rng.choice([20, 100, 400]))}" for number in range(400)]
    async with build_world(build_script(rng)) as world:
        await talk(world, texts)
        entries = await load_branch(world)
        compactions = [entry for entry in entries if isinstance(entry, CompactionEntry)]
        assert len(compactions) >= 3
        assert said(entries) == texts
        check_requests(world)
        assert len(sent_texts(world)) >= 400
        session = await world.store.load_session(DIRECT)
        assert session.counters.compaction_count == len(compactions)
        # No answer had to be given without the older part of the conversation.
        assert not [text for text in sent_texts(world) if "knows only its newest part" in text]
        outcomes = {row.decision.outcome for row in await read_decisions(world, kind="compact")}
        assert outcomes == {"compacted"}
        # Each request holds what was written last, word for word.
        last = [request for request in world.runner.requests if not is_summary(request.system)][-1]
        assert texts[-1] in [message_text(message) for message in last.messages]


@story
async def test_a_crash_in_the_middle_of_a_compaction_loses_nothing():
    gate, rng = Gate(), random.Random(7)
    texts = [f"Message {number}: {prose(rng, 400)}" for number in range(60)]
    async with build_world(build_script(rng, gate=gate)) as world:
        sent = 0
        for text in texts:
            await world.channel("telegram").post(text, sender="ann")
            sent += 1
            while not gate.reached.is_set() and not await world._is_quiet():
                await world.clock.sleep(0)
            if gate.reached.is_set():
                break
        before = await load_branch(world)
        assert not [entry for entry in before if isinstance(entry, CompactionEntry)]
        # A message that comes meanwhile waits for the compaction, and for the crash (COMPACT-24).
        await world.channel("telegram").post("In between.", sender="ann")
        await world.restart(kill=True)
        gate.open()
        await world.settle()
        await talk(world, texts[sent:])
        entries = await load_branch(world)
        assert said(entries) == [*texts[:sent], "In between.", *texts[sent:]]
        assert [entry.id for entry in entries][: len(before)] == [entry.id for entry in before]
        assert [entry for entry in entries if isinstance(entry, CompactionEntry)]
        check_requests(world)
        assert len(sent_texts(world)) >= len(texts) + 1


@story
async def test_a_turn_costs_no_more_requests_and_no_larger_ones_after_a_thousand_lines():
    rng = random.Random(11)
    async with build_world(build_script(rng)) as world:
        await talk(world, [f"Message {number}: {prose(rng, 100)}" for number in range(150)])
        sizes = [estimate_request(request) for request in world.runner.requests if not is_summary(request.system)]
        early, late = max(sizes[10:60]), max(sizes[-50:])
        assert late <= early * 1.25
