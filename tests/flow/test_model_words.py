"""What people hear beside an answer: who gave it, that there is none, that the conversation was summarised."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instar.core.explain.story import ask as ask_why
from instar.core.explain.story import tell
from instar.core.lifecycle.reset import COMPACTION_FIELD
from instar.core.model.change import TurnOptions
from instar.core.model.event import RunEnded, RunNote, RunPhase
from instar.core.transcript.text import message_text
from instar.ports.tool import ToolOutput, ToolSpec
from instar.runners.fallback import FallbackRunner
from instar.testing.clock import ManualClock
from instar.testing.gateway import GatewayInMemory
from instar.testing.log import build_memory_log
from instar.testing.runner import SCRIPTED_MODEL, ScriptedRunner
from instar.testing.script import Fault, Reply, call
from tests.builders.requests import estimate_request, find_fault, is_summary
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
)

SPARE = replace(SCRIPTED_MODEL, id="spare")
STANDS_IN = "(test/spare answers instead of test/scripted: Try later.)"


async def say(world, *texts):
    for text in texts:
        await world.channel("telegram").post(text, sender="ann")
        await world.settle()


# --- another model answers --------------------------------------------------------------------------------------------


def build_fallback_world(is_ill):
    def script(asked):
        if asked.model == "scripted" and is_ill[0]:
            return Reply(fault=Fault(kind="quota", text="Try later"))
        return Reply(text=f"{asked.model} says hello.")

    clock = ManualClock()
    runner = FallbackRunner(ScriptedRunner(script, clock=clock), clock=clock, log=build_memory_log()[0])
    return GatewayInMemory(build_config(), runner=runner, clock=clock, fallbacks=(SPARE,))


@story
async def test_who_stands_in_and_why_is_told_once():
    is_ill = [True]
    async with build_fallback_world(is_ill) as world:
        await say(world, "one", "two")
        assert sent_texts(world) == [f"{STANDS_IN}\n\nspare says hello.", "spare says hello."]
        assert await read_lines(world) == [
            "user: one",
            "assistant: spare says hello.",
            "user: two",
            "assistant: spare says hello.",
        ]
        rows = await read_decisions(world, kind="turn")
        assert [row.decision.outcome for row in rows] == ["stand_in", "stand_in"]
        sentence = "test/spare answers instead of test/scripted: Try later. CFG-13"
        assert tell(rows[0], world.clock.zone()) == sentence
        assert ask_why(rows[0]) == "Why another model?"
        await say(world, "/why")
        assert "Why another model? test/spare answers instead" in sent_texts(world)[-1]


@story
async def test_an_answer_is_booked_to_the_model_that_gave_it():
    async with build_fallback_world([True]) as world:
        await say(world, "one")
        spent = {one.model: one.calls for one in await world.store.sum_usage(since=0)}
        assert spent == {"spare": 1}


@story
async def test_the_next_failure_after_a_recovery_is_news_again():
    is_ill = [True]
    async with build_fallback_world(is_ill) as world:
        await say(world, "one")
        is_ill[0] = False
        await world.run_for(61)
        await say(world, "two")
        is_ill[0] = True
        await say(world, "three")
        assert sent_texts(world)[1:] == ["scripted says hello.", f"{STANDS_IN}\n\nspare says hello."]


@story
async def test_a_client_is_told_by_an_event_and_only_once():
    async with build_fallback_world([True]) as world:
        listener = Listener(world)
        await ask(world, "one", run_id="run-1")
        await world.settle()
        await ask(world, "two", run_id="run-2")
        await world.settle()
        notes = [event for event in listener.events if isinstance(event, RunNote)]
        assert [(note.turn_id, note.text) for note in notes] == [("run-1", STANDS_IN)]


@story
async def test_a_chat_is_told_although_a_client_was_told_before():
    async with build_fallback_world([True]) as world:
        listener = Listener(world)
        await ask(world, "one", run_id="run-1")
        await world.settle()
        assert sent_texts(world) == []
        await say(world, "two", "three")
        assert sent_texts(world) == [f"{STANDS_IN}\n\nspare says hello.", "spare says hello."]
        assert [event.text for event in listener.events if isinstance(event, RunNote)] == [STANDS_IN]


# --- a stand-in with a smaller window ---------------------------------------------------------------------------------

SHORT = replace(SPARE, context_window=8_192)
LONG = "heron " * 150
TRUNCATED = "(The conversation is longer than the model can see; this answer knows only its newest part. /compact)"


def build_short_world(is_ill, *, takes=None):
    """The spare model sees 8 k tokens, the other one 200 k. `takes` is how much the spare one really takes."""

    def script(asked):
        if asked.model == "scripted" and is_ill[0]:
            return Reply(fault=Fault(kind="quota", text="Try later"))
        size = (sum(len(one.text) for one in asked.spoken) + len(asked.system)) // 4
        if asked.model == "spare" and takes is not None and size > takes:
            return Reply(fault=Fault(kind="overflow"))
        return Reply(text="## Goal\nHerons." if is_summary(asked.system) else f"{asked.model} says hello.")

    clock = ManualClock()
    inner = ScriptedRunner(script, clock=clock)
    runner = FallbackRunner(inner, clock=clock, log=build_memory_log()[0])
    return GatewayInMemory(build_config(), runner=runner, clock=clock, fallbacks=(SHORT,)), inner


@story
async def test_a_stand_in_with_a_smaller_window_is_sent_what_fits_and_people_are_told():
    is_ill = [False]
    world, inner = build_short_world(is_ill)
    async with world:
        await say(world, *[LONG] * 60)
        assert estimate_request(inner.requests[-1]) > 10_000
        is_ill[0] = True
        await say(world, "and now?", "and then?")
        failed, first, second = inner.requests[60:]
        assert [request.model.id for request in (failed, first, second)] == ["scripted", "spare", "spare"]
        assert estimate_request(failed) > 10_000
        for request, words in ((first, "and now?"), (second, "and then?")):
            assert 4_000 < estimate_request(request) < 8_192
            assert find_fault(request.messages) is None
            assert message_text(request.messages[-1]) == words
        assert sent_texts(world)[60:] == [
            f"{STANDS_IN}\n{TRUNCATED}\n\nspare says hello.",
            f"{TRUNCATED}\n\nspare says hello.",
        ]
        told = [row.decision for row in await read_decisions(world, kind="limit")]
        cut = [one for one in told if one.outcome == "truncated"]
        assert [one.rule for one in cut] == ["HIST-7", "HIST-7"]
        assert all(one.inputs["tokens"] < 8_192 for one in cut)
        is_ill[0] = False
        await world.run_for(61)
        await say(world, "back?")
        assert sent_texts(world)[-1] == "scripted says hello."
        assert estimate_request(inner.requests[-1]) > 10_000


@story
async def test_a_stand_in_that_takes_less_than_it_says_gets_a_summary_for_its_own_window():
    is_ill = [False]
    world, inner = build_short_world(is_ill, takes=4_000)
    async with world:
        await say(world, *[LONG] * 60)
        is_ill[0] = True
        await say(world, "and now?")
        assert sent_texts(world)[-1] == f"{STANDS_IN}\n\nspare says hello."
        (row,) = [one for one in await read_decisions(world, kind="compact") if one.decision.outcome == "compacted"]
        assert row.decision.inputs["reason"] == "overflow"
        assert {request.model.id for request in inner.requests if is_summary(request.system)} == {"spare"}
        assert estimate_request(inner.requests[-1]) <= 4_000


@story
async def test_a_stand_in_is_asked_what_the_first_model_was_although_somebody_pins_meanwhile():
    gate = Gate()

    async def script(asked):
        if asked.model == "scripted" and asked.last_user_text == "two":
            await gate()
            return Reply(fault=Fault(kind="quota", text="Try later"))
        return Reply(text=f"{asked.model} says hello.")

    clock = ManualClock()
    inner = ScriptedRunner(script, clock=clock)
    runner = FallbackRunner(inner, clock=clock, log=build_memory_log()[0])
    async with GatewayInMemory(build_config(), runner=runner, clock=clock, fallbacks=(SPARE,)) as world:
        await say(world, "one")
        await world.channel("telegram").post("two", sender="ann")
        await gate.reached.wait()
        await world.channel("telegram").post("/pin", sender="ann")
        await world.run_for(1)
        assert "Pinned: " in sent_texts(world)[-1]
        gate.open()
        await world.settle()
        failed, stood_in = inner.requests[-2:]
        assert [request.model.id for request in (failed, stood_in)] == ["scripted", "spare"]
        assert [message_text(message) for message in stood_in.messages] == ["one", "scripted says hello.", "two"]
        assert f"{STANDS_IN}\n\nspare says hello." in sent_texts(world)


# --- an answer without a word -----------------------------------------------------------------------------------------


class Reader:
    """A tool."""

    spec = ToolSpec(name="read", description="Reads.", parameters={"type": "object", "properties": {}})

    async def call(self, context, arguments):
        return ToolOutput(content=())


def build_silent_world(script, **config):
    return GatewayInMemory(build_config(**config), runner=ScriptedRunner(script), tools={"read": Reader()})


@pytest.mark.parametrize(
    ("stop_reason", "words"),
    [("stop", "The model ended its answer without a word."), ("length", "The model used up its room for the answer")],
)
def test_a_person_is_told_of_an_answer_without_a_word(stop_reason, words):
    @story
    async def play():
        def script(asked):
            return Reply(text="" if asked.last_user_text == "one" else "Fine.", stop_reason=stop_reason)

        async with build_silent_world(script) as world:
            listener = Listener(world)
            await say(world, "one")
            assert sent_texts(world)[0].startswith(words)
            assert await read_inbox(world) == [("one", "answered", "empty_answer")]
            (end,) = [event for event in listener.events if isinstance(event, RunEnded)]
            assert end.state == "error"
            assert end.error == sent_texts(world)[0]
            (row,) = await read_decisions(world, kind="turn")
            assert tell(row, world.clock.zone()) == (
                f"The model test/scripted ended its answer without a word (stop reason {stop_reason}); "
                "whoever wrote was told. LOSS-2"
            )
            # It was paid for all the same, and the session goes on.
            assert {usage.calls for usage in await world.store.sum_usage()} == {1}
            await say(world, "two")
            assert sent_texts(world)[-1] == "Fine."
            assert all(find_fault(request.messages) is None for request in world.runner.requests)

    play()


@story
async def test_nobody_is_told_where_the_agent_has_spoken_before_its_last_tool():
    def script(asked):
        if asked.last is not None and asked.last.role == "tool":
            return Reply(text="")
        return Reply(text="I write it down.", calls=(call("read"),))

    async with build_silent_world(script) as world:
        await say(world, "one")
        assert sent_texts(world) == ["I write it down."]
        assert await read_inbox(world) == [("one", "answered", None)]


@story
async def test_what_the_agent_has_said_counts_although_somebody_pins_while_it_ends():
    gate = Gate()

    async def script(asked):
        if asked.last is None or asked.last.role != "tool":
            return Reply(text="I write it down.", calls=(call("read"),))
        await gate()
        return Reply(text="")

    async with build_silent_world(script) as world:
        await world.channel("telegram").post("one", sender="ann")
        await gate.reached.wait()
        await world.channel("telegram").post("/pin", sender="ann")
        await world.run_for(1)
        assert "Pinned: " in sent_texts(world)[-1]
        gate.open()
        await world.settle()
        assert ("one", "answered", None) in await read_inbox(world)


@story
async def test_a_group_that_did_not_ask_and_a_notice_get_silence():
    config = build_config(session={"activationByType": {"group": "always"}})
    async with GatewayInMemory(config, runner=ScriptedRunner(lambda _: Reply(text=""))) as world:
        channel = world.channel("telegram")
        await channel.post("hello all", sender="ann", chat_id="g", chat_type="group", mentioned=False)
        await world.settle()
        assert sent_texts(world) == []
        await channel.post("hello agent", sender="ann", chat_id="g", chat_type="group", mentioned=True)
        await world.settle()
        assert len(sent_texts(world)) == 1
        await say(world, "one")
        await ask(world, "tick", options=TurnOptions(system=True, deliver=True))
        await world.settle()
        assert len(sent_texts(world)) == 2


# --- summaries that cannot be made, and who hears of them -------------------------------------------------------------

SMALL = replace(SCRIPTED_MODEL, context_window=8_192)
LONG = "heron " * 150


def build_small_world(script, **compaction):
    config = build_config(agents={"defaults": {"compaction": compaction}})
    return GatewayInMemory(config, runner=ScriptedRunner(script), model=SMALL)


def summaries(world):
    return [request for request in world.runner.requests if is_summary(request.system)]


def no_summary(asked):
    return Reply(text="No summary." if is_summary(asked.system) else "Fine.")


def good_summary(asked):
    return Reply(text="## Goal\nThey talk about herons." if is_summary(asked.system) else "Fine.")


@story
async def test_a_summary_that_cannot_be_made_is_not_asked_for_after_every_turn():
    async with build_small_world(no_summary) as world:

        async def attempts():
            return len(await read_decisions(world, kind="compact"))

        await say(world, *[f"{number} {LONG}" for number in range(30)])
        (row,) = await read_decisions(world, kind="compact")
        assert row.decision.outcome == "failed"
        assert row.decision.inputs["again_at"] == row.at + 300_000
        assert sent_texts(world)[-1].endswith("Fine.")
        asked = len(summaries(world))
        await world.run_for(301)
        await say(world, "more", "and more")
        assert await attempts() == 2
        assert len(summaries(world)) > asked
        await world.run_for(301)
        await say(world, "still more")
        assert await attempts() == 2
        await world.run_for(300)
        await say(world, "at last")
        assert await attempts() == 3
        # A person may ask at any time.
        await say(world, "/compact")
        assert await attempts() == 4
        assert sent_texts(world)[-1].startswith(
            "The compaction failed: The model gave no summary that could be used. In"
        )


@story
async def test_the_rest_outlives_a_restart_and_ends_with_a_summary():
    is_ill = [True]

    def script(asked):
        return no_summary(asked) if is_ill[0] else good_summary(asked)

    async with build_small_world(script) as world:
        await say(world, *[f"{number} {LONG}" for number in range(20)])
        await world.restart(kill=True)
        asked = len(summaries(world))
        await say(world, "more")
        assert len(summaries(world)) == asked
        is_ill[0] = False
        await world.run_for(301)
        await say(world, "again")
        session = await world.store.load_session(DIRECT)
        assert session.counters.compaction_count == 1
        assert COMPACTION_FIELD not in session.extra


def test_verbose_tells_of_begin_and_end_and_notify_user_of_the_end():
    for level, notify, expected in (
        (None, False, []),
        (None, True, ["(The older part of this conversation was put into a summary; nothing is lost.)"]),
        ("on", False, ["(Compaction 1: the older part", "(Compaction 1 is done: "]),
        ("full", True, ["(Compaction 1: the older part", "(Compaction 1 is done: "]),
    ):
        check_notices(level, notify=notify, expected=expected)


def check_notices(level, *, notify, expected):
    @story
    async def play():
        async with build_small_world(good_summary, notifyUser=notify) as world:
            listener = Listener(world)
            if level is not None:
                await say(world, "hello", f"/verbose {level}")
            await say(world, *[LONG] * 22)
            told = [text for text in sent_texts(world) if text.startswith("(")]
            assert len(told) == len(expected)
            assert all(text.startswith(begin) for text, begin in zip(told, expected, strict=True))
            notes = [event.text for event in listener.events if isinstance(event, RunNote)]
            assert notes == told
            # Whoever shows the progress of a run hears nothing of it after its end.
            ended = set()
            for event in listener.events:
                if isinstance(event, RunEnded):
                    ended.add(event.turn_id)
                assert not (isinstance(event, RunPhase) and event.turn_id in ended)
            assert not [line for line in await read_lines(world) if "(The older" in line or "(Compaction " in line]

    play()


@story
async def test_a_failed_summary_is_told_to_who_wants_to_hear_of_them():
    async with build_small_world(no_summary, notifyUser=True) as world:
        await say(world, *[LONG] * 22)
        told = [text for text in sent_texts(world) if "could not be summarised" in text]
        why = "The model gave no summary that could be used."
        assert told == [f"(The older part of this conversation could not be summarised: {why})"]


@story
async def test_a_session_that_may_not_send_sends_no_notices():
    async with build_small_world(good_summary, notifyUser=True) as world:
        await say(world, "hello")
        await ask(world, "/send off")
        await say(world, *[LONG] * 22)
        assert sent_texts(world) == ["Fine."]
        assert "(CompactionEntry)" in await read_lines(world)
