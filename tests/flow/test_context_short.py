"""What keeps a context small enough, each by itself (PRUNE-*, COMPACT-4, COMPACT-20…25, HIST-*, LOSS-9)."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from instar.core.model.entry import TextBlock, ToolResultMessage
from instar.core.transcript.text import message_text
from instar.ports.tool import ToolOutput, ToolSpec
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import SCRIPTED_MODEL, ScriptedRunner
from instar.testing.script import Fault, Reply, call
from tests.builders.requests import estimate_request, find_fault, is_summary
from tests.builders.stories import DIRECT, build_config, read_decisions, read_lines, sent_texts, story

SMALL = replace(SCRIPTED_MODEL, context_window=8_192)
RECORD = "## Goal\nThey talk about herons.\n## Progress\nA lot was said."
LONG = "heron " * 150


class Reader:
    """A tool with a long result."""

    spec = ToolSpec(name="read", description="Reads.", parameters={"type": "object", "properties": {}})

    async def call(self, context, arguments):
        return ToolOutput(content=(TextBlock(text="page " * 1_200),))


def answer(asked):
    return Reply(text=RECORD if is_summary(asked.system) else "Fine.")


def build_world(script=answer, *, model=SMALL, tools=None, **config):
    return GatewayInMemory(build_config(**config), runner=ScriptedRunner(script), model=model, tools=tools)


async def say(world, *texts):
    for text in texts:
        await world.channel("telegram").post(text, sender="ann")
        await world.settle()


def requests_of(world):
    return [request for request in world.runner.requests if not is_summary(request.system)]


@story
async def test_old_tool_results_are_trimmed_once_the_cache_is_cold_and_the_transcript_keeps_them():
    def script(asked):
        wants = asked.last is not None and asked.last.role == "user" and asked.last.text == "read"
        return Reply(calls=(call("read"),)) if wants else answer(asked)

    pruning = {
        "mode": "cache-ttl",
        "ttl": "5m",
        "keepLastAssistants": 1,
        "softTrimRatio": 0.1,
        "hardClearRatio": 0.9,
        "softTrim": {"maxChars": 1000, "headChars": 100, "tailChars": 100},
    }
    agents = {"defaults": {"contextPruning": pruning, "compaction": {"enabled": False}}}
    async with build_world(script, tools={"read": Reader()}, agents=agents) as world:
        await say(world, "read", "and now?")
        sizes = [
            len(message_text(message))
            for request in requests_of(world)[1:]
            for message in request.messages
            if isinstance(message, ToolResultMessage)
        ]
        assert set(sizes) == {6_000}
        await world.clock.run_for(301)
        await say(world, "later")
        (result,) = [one for one in requests_of(world)[-1].messages if isinstance(one, ToolResultMessage)]
        assert len(message_text(result)) < 500
        assert f"read → {'page ' * 1_200}" in await read_lines(world)
        (row,) = await read_decisions(world, kind="prune")
        assert row.decision.rule.startswith("PRUNE")
        # What the session holds is told as it is without the pruning of that one request (PRUNE-20).
        counted = (await world.store.load_session(DIRECT)).counters.total_tokens
        left_out = (row.decision.inputs["charsBefore"] - row.decision.inputs["charsAfter"]) // 4
        assert (await world.gateway.status_facts(DIRECT)).window_used >= counted + left_out > 1_400
        await say(world, "/context json")
        assert json.loads(sent_texts(world)[-1])["session"]["totalTokens"] >= counted + left_out
        await world.clock.run_for(1)
        await say(world, "warm again")
        again = (await world.store.load_session(DIRECT)).counters.total_tokens
        assert (await world.gateway.status_facts(DIRECT)).window_used == again > 1_400


@story
async def test_a_prompt_that_the_provider_refuses_is_summarised_and_asked_again():
    refusals = iter([True])

    def script(asked):
        if asked.last_user_text == "last" and next(refusals, False):
            return Reply(fault=Fault(kind="overflow"))
        return answer(asked)

    async with build_world(script) as world:
        await say(world, *[LONG] * 12, "last")
        assert sent_texts(world)[-1] == "Fine."
        assert "(CompactionEntry)" in await read_lines(world)
        (row,) = [one for one in await read_decisions(world, kind="compact") if one.decision.outcome == "compacted"]
        assert row.decision.inputs["reason"] == "overflow"
        assert all(find_fault(request.messages) is None for request in world.runner.requests)


@story
async def test_one_that_stays_too_large_leaves_the_session_usable_and_says_what_to_do():
    def script(asked):
        return Reply(fault=Fault(kind="overflow")) if asked.last_user_text == "last" else answer(asked)

    async with build_world(script) as world:
        await say(world, *[LONG] * 12)
        before = await world.store.load_session(DIRECT)
        await say(world, "last")
        assert "/compact" in sent_texts(world)[-1]
        assert "/new" in sent_texts(world)[-1]
        await say(world, "more")
        assert sent_texts(world)[-1] == "Fine."
        assert (await world.store.load_session(DIRECT)).session_id == before.session_id


@story
async def test_a_person_compacts_and_takes_it_back():
    async with build_world() as world:
        await say(world, *[f"{number} {LONG}" for number in range(12)])
        lines = await read_lines(world)
        await say(world, "/compact: mind the herons")
        assert sent_texts(world)[-1].startswith("Compacted: ")
        summary = next(request for request in world.runner.requests if is_summary(request.system))
        assert "mind the herons" in message_text(summary.messages[0])
        assert await read_lines(world) == [*lines, "(CompactionEntry)"]
        session = await world.store.load_session(DIRECT)
        assert session.counters.compaction_count == 1
        await say(world, "next")
        after = len(requests_of(world)[-1].messages)
        assert after < 24
        await say(world, "/compact undo")
        assert sent_texts(world)[-1].startswith("The newest summary is taken back: ")
        await say(world, "again")
        assert len(requests_of(world)[-1].messages) > after + 2
        await say(world, "/compact undo")
        assert sent_texts(world)[-1].startswith("Nothing to undo: ")
        assert (await world.store.load_session(DIRECT)).session_id == session.session_id


@story
async def test_nothing_to_compact_and_a_failed_summary_change_nothing():
    def script(asked):
        return Reply(text="No summary.") if is_summary(asked.system) else Reply(text="Fine.")

    async with build_world(script) as world:
        await say(world, "one", "/compact")
        assert sent_texts(world)[-1].startswith("Nothing to compact")
        assert "of 8.2k tokens (" in sent_texts(world)[-1]
        await say(world, *[LONG] * 12)
        lines = await read_lines(world)
        await say(world, "/compact")
        assert sent_texts(world)[-1].startswith("The compaction failed")
        assert "of 8.2k tokens (" in sent_texts(world)[-1]
        assert await read_lines(world) == lines


@story
async def test_pinned_words_stay_word_for_word():
    async with build_world(answer) as world:
        await say(world, "The code is 4711.", "/pin", *[LONG] * 12, "/compact", "next")
        texts = [message_text(message) for message in requests_of(world)[-1].messages]
        assert "Fine." in texts
        assert any("They talk about herons" in text for text in texts)


# A summary counts as one; what it keeps word for word, at most half of the limit, is not counted again (HIST-3).
@pytest.mark.parametrize(("strategy", "is_compacted", "most"), [("summarize", True, 6 + 3), ("truncate", False, 6)])
def test_limits_that_a_person_set_are_kept(strategy, is_compacted, most):
    @story
    async def play():
        limits = {"maxMessages": 6, "compaction": strategy}
        async with build_world(model=SCRIPTED_MODEL, session=limits) as world:
            await say(world, *[f"message {number}" for number in range(10)])
            assert max(len(request.messages) for request in requests_of(world)) <= most
            assert message_text(requests_of(world)[-1].messages[-1]) == "message 9"
            lines = await read_lines(world)
            assert ("(CompactionEntry)" in lines) == is_compacted
            assert [line for line in lines if line.startswith("user:")] == [f"user: message {n}" for n in range(10)]
            assert all(find_fault(request.messages) is None for request in world.runner.requests)

    play()


@pytest.mark.parametrize("scope", [{"dmScope": "main"}, {"identityLinks": {"annie": ["telegram:ann"]}}])
def test_the_limit_of_a_person_holds_in_every_session_that_answers_them(scope):
    config = build_config(session=scope)
    config["channels"]["telegram"]["dms"] = {"ann": {"historyLimit": 1}}

    @story
    async def play():
        async with GatewayInMemory(config, runner=ScriptedRunner(answer), model=SMALL) as world:
            await say(world, "one", "two", "three")
            assert len(requests_of(world)[-1].messages) == 1

    play()


@story
async def test_bytes_that_a_summary_stands_for_count_no_more():
    compaction = {"maxActiveTranscriptBytes": 12_000, "keepRecentTokens": 300}
    async with build_world(model=SCRIPTED_MODEL, agents={"defaults": {"compaction": compaction}}) as world:
        await say(world, *[LONG] * 24)
        summaries = [request for request in world.runner.requests if is_summary(request.system)]
        assert 1 <= len(summaries) <= 5


@story
async def test_a_channel_limits_the_turns_of_direct_chats():
    config = build_config()
    config["channels"]["telegram"]["dmHistoryLimit"] = 2
    async with GatewayInMemory(config, runner=ScriptedRunner(answer)) as world:
        await say(world, *[f"message {number}" for number in range(5)])
        texts = [message_text(message) for message in world.runner.requests[-1].messages]
        assert texts == ["message 3", "Fine.", "message 4"]


@story
async def test_a_person_may_have_a_limit_of_their_own_and_groups_have_none():
    config = build_config()
    config["channels"]["telegram"] |= {
        "dmHistoryLimit": 2,
        "dms": {"bob": {"historyLimit": 1}, "cem": {"historyLimit": 0}},
    }
    async with GatewayInMemory(config, runner=ScriptedRunner(answer)) as world:
        for sender, most in (("ann", 3), ("bob", 1), ("cem", 7)):
            for number in range(4):
                await world.channel("telegram").post(f"message {number}", sender=sender)
                await world.settle()
            assert len(world.runner.requests[-1].messages) == most, sender
        for number in range(4):
            await world.channel("telegram").post(
                str(number), sender="bob", chat_type="group", chat_id="g", mentioned=True
            )
            await world.settle()
        assert len(world.runner.requests[-1].messages) == 7


@story
async def test_keeping_the_last_lines_clears_the_counters_and_keeps_what_is_pinned():
    async with build_world() as world:
        await say(world, *[f"{number} {LONG}" for number in range(8)], "The code is 4711.", "/pin", *[LONG] * 4)
        before = (await world.store.load_session(DIRECT)).counters
        lines = await read_lines(world)
        done = await world.gateway.upkeep.compact(DIRECT, who="ann", keep_lines=2)
        assert done.status == "compacted"
        assert done.tokens_after < done.tokens_before
        # A copy of the whole was put aside before.
        assert done.archived.endswith(".jsonl.bak.zst")
        assert [head.next_seq for head in world.archives.heads] == [len(lines) + 1]
        counters = (await world.store.load_session(DIRECT)).counters
        assert before.total_tokens > 2_000
        assert (counters.input_tokens, counters.output_tokens, counters.total_tokens) == (0, 0, 0)
        assert await read_lines(world) == [*lines, "(CompactionEntry)"]
        await say(world, "next")
        # The window is not near its end any more, so nothing is summarised, and what was pinned is still told.
        assert not [request for request in world.runner.requests if is_summary(request.system)]
        texts = [message_text(message) for message in requests_of(world)[-1].messages]
        assert [text for text in texts if text.startswith("Fine.")]
        assert len(texts) <= 6
        assert texts[-1] == "next"


@story
async def test_what_the_window_holds_is_told_again_after_an_undo():
    async with build_world() as world:
        await say(world, *[f"{number} {LONG}" for number in range(12)])
        full = (await world.store.load_session(DIRECT)).counters.total_tokens
        await say(world, "/compact")
        small = (await world.store.load_session(DIRECT)).counters.total_tokens
        await say(world, "/compact undo")
        again = (await world.store.load_session(DIRECT)).counters.total_tokens
        assert small < full
        assert again >= full


@story
async def test_a_model_with_a_smaller_window_is_asked_for_summaries_in_parts_that_fit_it():
    writer = replace(SCRIPTED_MODEL, id="writer", context_window=2_000)
    agents = {"defaults": {"compaction": {"model": writer.ref}}}
    world = GatewayInMemory(
        build_config(agents=agents), runner=ScriptedRunner(answer), model=SMALL, fallbacks=(writer,)
    )
    async with world:
        await say(world, *[f"{number} {LONG}" for number in range(14)], "/compact")
        asked = [request for request in world.runner.requests if is_summary(request.system)]
        assert {request.model.id for request in asked} == {"writer"}
        assert len(asked) > 1
        assert max(estimate_request(request) for request in asked) <= 2_000
        assert "(CompactionEntry)" in await read_lines(world)


@story
async def test_a_provider_alone_writes_summaries_with_the_sessions_own_model():
    writer = replace(SMALL, provider="broker")
    agents = {"defaults": {"compaction": {"provider": "broker"}}}
    world = GatewayInMemory(
        build_config(agents=agents), runner=ScriptedRunner(answer), model=SMALL, fallbacks=(writer,)
    )
    async with world:
        await say(world, *[f"{number} {LONG}" for number in range(14)], "/compact")
        asked = [request.model for request in world.runner.requests if is_summary(request.system)]
        assert {model.ref for model in asked} == {writer.ref}
        assert "(CompactionEntry)" in await read_lines(world)


@story
async def test_without_room_for_a_copy_the_last_lines_are_not_kept_and_nothing_changes():
    class FullDisk:
        async def archive(self, head, *, reason):
            raise OSError(28, f"no room for a {reason} of {head.session_id}")

    world = build_world()
    world.archives = FullDisk()
    async with world:
        await say(world, *[f"{number} {LONG}" for number in range(8)])
        lines = await read_lines(world)
        done = await world.gateway.upkeep.compact(DIRECT, who="ann", keep_lines=2)
        assert done.status == "failed"
        assert "no copy of the transcript could be written" in done.why
        assert await read_lines(world) == lines
