"""Silence that nobody chose is told, and silence that somebody may choose is kept (LOSS-2, ACT-8)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instar.core.model.change import TurnOptions
from instar.core.model.decision import Decision
from instar.core.model.entry import (
    AssistantMessage,
    CustomMessageEntry,
    LabelEntry,
    MessageEntry,
    ToolCall,
    UserMessage,
)
from instar.core.turn.ends import build_aborted_message
from instar.core.turn.wordless import describe_wordless, tell_wordless
from tests.builders.turns import NOW, build_item


def answer(text="", *, stop_reason="stop", calls=()):
    message: AssistantMessage = replace(build_aborted_message(text, now=NOW), stop_reason=stop_reason)
    return replace(message, content=(*message.content, *calls))


def entry(message):
    return MessageEntry(id="e", parent_id=None, timestamp=NOW, message=message)


ASKED = entry(UserMessage(content="hello", timestamp=NOW))
SPOKEN = entry(answer("I look."))
CALLED = entry(answer(calls=(ToolCall(id="1", name="read", arguments={}),)))
LABEL = LabelEntry(id="l", parent_id=None, timestamp=NOW, target_id="e", label="x")
GREETING = CustomMessageEntry(
    id="c", parent_id=None, timestamp=NOW, custom_type="instar.greeting", content="Greet.", display=False
)


def told(message=None, items=None, before=(ASKED,)):
    return tell_wordless(message or answer(), items or [build_item()], before)


def test_the_person_is_told_what_to_do():
    assert "Send the message again" in told()
    assert "Send the message again" in told(answer("  \n"))
    assert "/think low" in told(answer(stop_reason="length"))


def test_words_and_calls_are_an_answer():
    assert told(answer("Hello.")) is None
    assert told(answer(calls=(ToolCall(id="1", name="read", arguments={}),))) is None


def test_an_empty_end_after_words_means_that_all_is_said():
    assert told(before=(CALLED, SPOKEN, ASKED)) is None
    assert told(before=(CALLED, ASKED, SPOKEN)) is not None
    assert told(before=(LABEL, GREETING, SPOKEN)) is not None
    assert told(before=()) is not None


def in_group(*, mentioned=None, **inputs):
    item = build_item(chat_type="group")
    item = replace(item, submission=replace(item.submission, inbound=replace(item.submission.inbound)))
    inbound = replace(item.submission.inbound, mentioned=mentioned)
    decisions = (Decision(kind="activation", outcome="wakes", rule="ACT-1", inputs=inputs),) if inputs else ()
    return replace(
        item,
        submission=replace(item.submission, inbound=inbound),
        acceptance=replace(item.acceptance, decisions=decisions),
    )


@pytest.mark.parametrize(
    ("item", "is_told"),
    [
        (build_item(options=TurnOptions(system=True)), False),
        (in_group(mode="always", addressed=None), False),
        (in_group(mode="always", addressed="pattern"), True),
        (in_group(mode="mention", addressed=None), True),
        (in_group(mentioned=True), True),
        (in_group(), False),
    ],
    ids=["no person", "overheard", "named", "only when asked", "mentioned", "nothing known"],
)
def test_who_did_not_speak_to_the_agent_is_not_told(item, is_told):
    assert (told(items=[item]) is not None) == is_told


def test_the_record_names_the_model_and_how_it_stopped():
    decision = describe_wordless(answer(stop_reason="length"))
    assert decision.inputs == {"model": "instar/instar", "stop_reason": "length"}
