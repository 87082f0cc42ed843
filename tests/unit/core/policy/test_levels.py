"""The words for thinking, verbose, reasoning, elevated and usage (PATCH-6, PATCH-7)."""

from __future__ import annotations

import pytest

from instar.core.policy.levels import (
    THINKING_LEVELS,
    ThinkingWord,
    parse_elevated,
    parse_reasoning,
    parse_thinking,
    parse_usage,
    parse_verbose,
    require_thinking,
    require_xhigh,
)
from instar.errors import InvalidRequest


@pytest.mark.parametrize("level", THINKING_LEVELS)
def test_each_level_is_its_own_word(level):
    assert parse_thinking(f" {level.upper()} ") == ThinkingWord(level=level)


@pytest.mark.parametrize(
    ("word", "level"),
    [
        ("on", "low"),
        ("think", "minimal"),
        ("min", "minimal"),
        ("mid", "medium"),
        ("med", "medium"),
        ("max", "high"),
        ("ultra", "high"),
        ("highest", "high"),
    ],
)
def test_other_words_for_thinking(word, level):
    assert parse_thinking(word) == ThinkingWord(level=level)


def test_stream_means_a_level_and_shown_reasoning():
    assert parse_thinking("stream") == ThinkingWord(level="low", reasoning="stream")


@pytest.mark.parametrize(
    ("parse", "words"),
    [
        (parse_verbose, {"on": "on", "Off": "off", "full": "full"}),
        (parse_reasoning, {"on": "on", "off": "off", " STREAM ": "stream"}),
        (parse_elevated, {"on": "on", "off": "off", "ask": "ask", "full": "full"}),
        (parse_usage, {"off": "off", "on": "tokens", "tokens": "tokens", "full": "full"}),
    ],
)
def test_words_of_the_other_levels(parse, words):
    assert {word: parse(word) for word in words} == words


@pytest.mark.parametrize("parse", [parse_thinking, parse_verbose, parse_reasoning, parse_elevated, parse_usage])
def test_any_other_word_is_none(parse):
    assert parse("banana") is None
    assert parse("") is None


def test_a_field_of_a_request_takes_the_same_words_and_names_them_to_whoever_writes_another():
    assert require_thinking("stream", field="thinking") == ThinkingWord(level="low", reasoning="stream")
    with pytest.raises(InvalidRequest, match="must be one of off, minimal, low, medium, high, xhigh") as refused:
        require_thinking("banana", field="thinking")
    assert refused.value.field == "thinking"


def test_the_highest_level_is_refused_where_the_model_does_not_know_it():
    require_xhigh("xhigh", is_known=True, field="thinking")
    require_xhigh("high", is_known=False, field="thinking")
    with pytest.raises(InvalidRequest, match="does not support xhigh"):
        require_xhigh("xhigh", is_known=False, field="thinking")
