"""What a summary must be before it counts, and what it costs (COMPACT-10, COMPACT-13…19, COST-1, HIST-4)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instar.core.model.entry import CompactionEntry, TextBlock, Usage
from instar.core.model.query import SpendingQuery
from instar.ports.tool import ToolOutput, ToolSpec
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import SCRIPTED_MODEL, ScriptedRunner
from instar.testing.script import Fault, Reply, call
from tests.builders.requests import is_summary
from tests.builders.stories import DIRECT, Gate, build_config, read_decisions, read_lines, sent_texts, story

SMALL = replace(SCRIPTED_MODEL, context_window=8_192, price={"output": 1_000_000.0})
"""Every token of an answer costs a dollar."""

LINK = "https://example.org/heron-7f3a"
LONG = "heron " * 150


class Keeper:
    """A tool for files; what it gives back does not matter."""

    def __init__(self, name, says="ok"):
        self.spec = ToolSpec(name=name, description="Files.", parameters={"type": "object", "properties": {}})
        self._says = says

    async def call(self, context, arguments):
        return ToolOutput(content=(TextBlock(text=self._says),))


def build_world(*records, answer=None, session=None, **compaction):
    """`records` are what the model gives when it is asked for summaries, in order; the last one goes on."""
    waiting = list(records)

    def script(asked):
        if is_summary(asked.system):
            record = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            return record(asked) if callable(record) else Reply(text=record, usage=Usage(output=10, total_tokens=10))
        return answer(asked) if answer else Reply(text="Fine.", usage=Usage(output=1, total_tokens=1))

    compaction = {"keepRecentTokens": 4, "memoryFlush": {"enabled": False}, **compaction}
    tools = {name: Keeper(name) for name in ("read", "write", "edit")}
    return GatewayInMemory(
        build_config(session=session, agents={"defaults": {"compaction": compaction}}),
        runner=ScriptedRunner(script),
        model=SMALL,
        tools=tools,
    )


async def say(world, *texts):
    for text in texts:
        await world.channel("telegram").post(text, sender="ann")
        await world.settle()


def prompts_of(world):
    """What was asked for each summary."""
    asked = [request for request in world.runner.requests if is_summary(request.system)]
    return [str(request.messages[-1].content) for request in asked]


async def stored_summaries(world):
    session = await world.store.load_session(DIRECT)
    page = await world.store.load_all_entries(session.session_id)
    return [one.entry for one in page.entries if isinstance(one.entry, CompactionEntry)]


async def spent(world, **query):
    return (await world.store.sum_spending(SpendingQuery(since=0, **query))).usd


# --- identifiers (COMPACT-14) -----------------------------------------------------------------------------------------


@story
async def test_a_summary_that_lost_an_identifier_is_corrected_before_it_counts():
    async with build_world("## Goal\nTo look at herons.", f"## Goal\nTo look at herons at {LINK}.") as world:
        await say(world, f"{LONG} see {LINK}", "and now?", "/compact")
        first, second = prompts_of(world)
        assert LINK in first
        assert "URLs" in first
        assert "To look at herons." in second
        assert f"- {LINK}" in second
        (entry,) = await stored_summaries(world)
        assert LINK in entry.summary
        assert sent_texts(world)[-1].startswith("Compacted:")
        assert await spent(world, session_key=DIRECT, person="telegram:ann", channel="telegram") == 2 + 20.0


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_a_summary_that_goes_on_losing_it_is_given_up_and_paid_for(retries):
    @story
    async def play():
        async with build_world("## Goal\nTo look at herons.", qualityGuard={"maxRetries": retries}) as world:
            await say(world, f"{LONG} see {LINK}", "and now?", "/compact")
            assert len(prompts_of(world)) == 1 + retries
            assert await stored_summaries(world) == []
            assert sent_texts(world)[-1].startswith("The compaction failed:")
            assert await spent(world, session_key=DIRECT) == 2 + 10.0 * (1 + retries)
            await say(world, "and then?")
            assert LINK in str(world.runner.requests[-1].messages[0].content)

    play()


@story
async def test_identifiers_may_be_lost_where_the_policy_is_off():
    async with build_world("## Goal\nTo look at herons.", identifierPolicy="off") as world:
        await say(world, f"{LONG} see {LINK}", "and now?", "/compact")
        (prompt,) = prompts_of(world)
        assert "URLs" not in prompt
        assert len(await stored_summaries(world)) == 1


# --- what is asked for (COMPACT-10, COMPACT-13) -----------------------------------------------------------------------


@story
async def test_wishes_hold_for_the_beginning_of_a_split_turn_too_and_the_record_so_far_is_handed_on():
    def answer(asked):
        wants = asked.last.role == "user" and asked.last.text.startswith("read")
        return Reply(calls=(call("read", path="a.py"),)) if wants else Reply(text=f"It says {LONG}")

    records = ("## Goal\nFirst record.", "### Request\nHalf a turn.")
    async with build_world(*records, "## Goal\nSecond record.", answer=answer) as world:
        await say(world, LONG, f"read {LONG}", "/compact mind the beaks")
        history, prefix = prompts_of(world)
        assert "[User] heron" in history
        assert "[Tool call] read" in prefix
        assert all("mind the beaks" in prompt for prompt in (history, prefix))
        (entry,) = await stored_summaries(world)
        assert entry.summary.index("First record.") < entry.summary.index("Half a turn.")
        await say(world, f"cranes {LONG}", "and now?", "/compact")
        later = prompts_of(world)[2]
        assert "First record." in later
        assert "mind the beaks" not in later


# --- a message that is too large (COMPACT-17) -------------------------------------------------------------------------


@story
async def test_a_message_that_the_model_cannot_summarise_is_left_out_with_a_remark():
    def refuse_long(asked):
        if len(asked.last_user_text) > 14_000:
            return Reply(fault=Fault(kind="rejected", text="That is too much"))
        return Reply(text="## Goal\nTo count feathers.")

    async with build_world(refuse_long) as world:
        await say(world, "count feathers " + "f" * 15_000, "and now?", "/compact")
        whole, rest = prompts_of(world)[0], prompts_of(world)[-1]
        assert "f" * 10_000 in whole
        assert "f" * 100 not in rest
        assert "[A user message of about 3754 tokens was left out: it is too large.]" in rest
        assert len(await stored_summaries(world)) == 1


# --- files (COMPACT-19) -----------------------------------------------------------------------------------------------


@story
async def test_files_are_listed_across_summaries_and_a_changed_one_only_once():
    def answer(asked):
        if asked.last.role != "user" or ":" not in asked.last.text:
            return Reply(text="Fine.")
        name, path = asked.last.text.split()[0].split(":")
        return Reply(calls=(call(name, path=path),))

    async with build_world("## Goal\nTo keep files.", answer=answer, identifierPolicy="off") as world:
        await say(world, f"read:b.py {LONG}", f"read:a.py {LONG}", f"write:z.py {LONG}", "thanks", "/compact")
        await say(world, f"edit:a.py {LONG}", f"read:c.py {LONG}", "thanks", "/compact")
        first, second = await stored_summaries(world)
        assert first.details["readFiles"] == ["a.py", "b.py"]
        assert first.details["modifiedFiles"] == ["z.py"]
        assert second.details["readFiles"] == ["b.py", "c.py"]
        assert second.details["modifiedFiles"] == ["a.py", "z.py"]
        assert second.summary.endswith("## Files read\n- b.py\n- c.py\n\n## Files changed\n- a.py\n- z.py")


# --- limits (HIST-4) --------------------------------------------------------------------------------------------------


@story
async def test_a_limit_whose_summary_fails_leaves_out_for_this_turn_only():
    is_ill = [True]

    def record(asked):
        return Reply(fault=Fault(kind="rejected")) if is_ill[0] else Reply(text="## Goal\nHerons.")

    async with build_world(record, session={"maxMessages": 4}) as world:
        await say(world, LONG, LONG, "three")
        assert [len(one.messages) for one in world.runner.requests if not is_summary(one.system)] == [1, 3, 3]
        assert sent_texts(world)[-1] == "Fine."
        assert await stored_summaries(world) == []
        is_ill[0] = False
        await world.run_for(600)
        await say(world, "four")
        # Half of four, behind the summary.
        assert [len(one.messages) for one in world.runner.requests][-1] == 1 + 2
        assert len(await stored_summaries(world)) == 1
        assert len(await read_lines(world)) == 9
        outcomes = [row.decision.outcome for row in await read_decisions(world, kind="compact")]
        assert outcomes == ["failed", "compacted"]


@story
async def test_messages_collected_for_one_turn_are_seen_word_for_word_whatever_a_limit_keeps():
    gate = Gate()

    async def answer(asked):
        if asked.last_user_text == LONG and not gate.reached.is_set():
            await gate()
        return Reply(text="Fine.")

    async with build_world("## Goal\nHerons.", answer=answer, session={"maxMessages": 3}) as world:
        root = {**world.config.root, "messages": {"queue": {"mode": "collect", "debounceMs": 0}}}
        world.configure(root)
        await world.channel("telegram").post(LONG, sender="ann")
        await gate.reached.wait()
        for text in ("one", "two", "three"):
            await world.channel("telegram").post(text, sender="ann")
        gate.open()
        await world.settle()
        shown = [str(message.content) for message in world.runner.requests[-1].messages]
        assert [text.rsplit(" ", 1)[-1] for text in shown[-3:]] == ["one", "two", "three"]
        assert "Herons." in shown[0]
        assert len(await stored_summaries(world)) == 1
