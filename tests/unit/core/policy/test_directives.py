"""Directives inside other text (CMD-28, STATUS-15, QUEUE-12)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.policy.command_kinds import Elevated, Model, Queue, Reasoning, Status, Think, UsageMode, Verbose
from instar.core.policy.directives import strip_inline_directives
from instar.core.policy.model_choice import ModelNames
from instar.core.queue.settings import QueueDirective

NAMES = ModelNames(allowed=("openai/gpt-5.2", "anthropic/claude-opus-4-5"), default="openai/gpt-5.2")


def strip(text):
    return strip_inline_directives(text, models=NAMES)


@pytest.mark.parametrize(
    ("text", "left", "directives"),
    [
        ("what is this? /status", "what is this?", [Status()]),
        ("what /STATUS: is this?", "what is this?", [Status()]),
        ("/think high solve it", "solve it", [Think(level="high", given="high")]),
        ("solve /think:stream it", "solve it", [Think(level="low", reasoning="stream", given="stream")]),
        ("a /verbose full b", "a b", [Verbose(level="full", given="full")]),
        ("a /reasoning off b", "a b", [Reasoning(level="off", given="off")]),
        ("a /elevated ask b", "a b", [Elevated(level="ask", given="ask")]),
        ("a /usage on b", "a b", [UsageMode(level="tokens", given="on")]),
        ("/model openai gpt-5.2 hi", "hi", [Model(model="openai/gpt-5.2", given="openai gpt-5.2")]),
        ("/model DEFAULT hi", "hi", [Model(model="openai/gpt-5.2", given="DEFAULT")]),
        (
            "go /queue collect debounce:2s on",
            "go on",
            [Queue(directive=QueueDirective(mode="collect", debounce_ms=2000))],
        ),
        ("/think low /verbose on", "", [Think(level="low", given="low"), Verbose(level="on", given="on")]),
    ],
)
def test_a_directive_is_read_and_taken_out(text, left, directives):
    assert strip(text) == (left, tuple(directives))


@pytest.mark.parametrize(
    "text",
    [
        "what does /model do?",
        "cat /status/file",
        "run `/status` now",
        "and/status",
        "/statuses",
        "what is /think about",
        "no level /verbose",
        "how /queue works",
        "how /queue cap:x works",
        "  untouched   blanks  ",
        "",
    ],
)
def test_what_makes_no_sense_stays_text(text):
    assert strip(text) == (text, ())


def test_without_models_a_model_directive_is_text():
    assert strip_inline_directives("/model default go") == ("/model default go", ())


def test_line_breaks_and_brackets_of_the_text_stay():
    assert strip("first  line\n/think high\n[second] line") == (
        "first  line\n[second] line",
        (Think(level="high", given="high"),),
    )
    assert strip("first\nsecond /status\nthird")[0] == "first\nsecond\nthird"


def test_an_argument_is_not_read_again_as_a_directive():
    names = ModelNames(allowed=("p/x/status",), default="p/x/status")
    expected = (Model(model="p/x/status", given="/status"),)
    assert strip_inline_directives("/model /status hi", models=names) == ("hi", expected)
    assert strip("/think high /think low x")[1] == (Think(level="high", given="high"), Think(level="low", given="low"))


def test_what_others_wrote_before_the_marker_is_left_alone():
    text = "Bob: /think high\n[Current message - respond to this] /verbose on Alice: hi"
    left, directives = strip(text)
    assert left == "Bob: /think high\n[Current message - respond to this] Alice: hi"
    assert directives == (Verbose(level="on", given="on"),)


def test_a_message_full_of_directives_is_read_up_to_a_limit():
    left, directives = strip(" ".join(["/status"] * 20))
    assert (left, len(directives)) == (" ".join(["/status"] * 4), 16)


@given(st.lists(st.sampled_from(["/status", "/think", "high", "/queue", "collect", "word", "[x]", "\n"])))
def test_no_other_word_is_lost(words):
    left, _ = strip(" ".join(words))
    assert [word for word in left.split() if word in {"word", "[x]"}] == [
        word for word in words if word in {"word", "[x]"}
    ]
