"""Limits that a person sets on how much history is sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.context.build import build_view
from instar.core.context.limits import (
    DmHistoryLimits,
    HistorySettings,
    decide_history,
    keep_budget,
    select_messages,
)
from instar.core.context.tokens import estimate_message
from instar.core.model.entry import UserMessage
from tests.builders.transcripts import Branch


def words(tokens):
    return "x" * (4 * tokens)


def talk(turns, tokens=10):
    branch = Branch()
    for _ in range(turns):
        branch.user(words(tokens))
        branch.assistant(words(tokens))
    return branch


def sent(branch, **limits):
    return [placed.entry_id for placed in select_messages(build_view(branch.entries), **limits)]


@pytest.mark.parametrize(
    ("settings", "outcome", "rule"),
    [
        (HistorySettings(), "within", "HIST-3"),
        (HistorySettings(max_messages=4, max_tokens=40), "within", "HIST-3"),
        (HistorySettings(max_messages=3), "summarize", "HIST-4"),
        (HistorySettings(max_tokens=39), "summarize", "HIST-4"),
        (HistorySettings(max_tokens=39, strategy="truncate"), "truncate", "HIST-5"),
        (HistorySettings(max_tokens=39, strategy="off"), "off", "HIST-4"),
    ],
)
def test_limits_are_passed_by_more_messages_or_tokens_than_they_say(settings, outcome, rule):
    decision = decide_history(build_view(talk(2).entries), settings)

    assert (decision.kind, decision.outcome, decision.rule) == ("limit", outcome, rule)


def test_after_a_compaction_its_summary_counts_as_one_message():
    branch = talk(2)
    branch.compaction("e3")
    branch.user("x")

    assert decide_history(build_view(branch.entries), HistorySettings(max_messages=2)).outcome == "within"
    assert decide_history(build_view(branch.entries), HistorySettings(max_messages=1)).outcome == "summarize"


@pytest.mark.parametrize(
    ("settings", "budget"),
    [
        (HistorySettings(), (20_000, None)),
        (HistorySettings(max_tokens=10_000, max_messages=9), (5_000, 4)),
        (HistorySettings(max_tokens=100_000, max_messages=1), (20_000, 1)),
    ],
)
def test_compaction_for_the_limits_keeps_half_of_them(settings, budget):
    assert keep_budget(settings, keep_tokens=20_000) == budget


def test_without_limits_everything_is_sent():
    assert sent(talk(2)) == ["e0", "e1", "e2", "e3"]
    assert sent(talk(2), user_turns=0) == ["e0", "e1", "e2", "e3"]


@pytest.mark.parametrize(
    ("limits", "first"),
    [
        ({"max_messages": 6}, "e0"),
        ({"max_messages": 5}, "e2"),
        ({"max_messages": 3}, "e4"),
        ({"max_tokens": 40}, "e2"),
        ({"max_tokens": 39}, "e4"),
        ({"max_tokens": 40, "max_messages": 2}, "e4"),
        ({"max_tokens": 1}, "e4"),
    ],
)
def test_truncating_sends_the_newest_messages_from_a_user_on(limits, first):
    assert sent(talk(3), truncate=HistorySettings(**limits))[0] == first


def test_summary_stays_in_front_where_there_is_room():
    branch = talk(3)
    branch.compaction("e2", "s")
    branch.user(words(10))

    assert sent(branch, truncate=HistorySettings(max_messages=4)) == ["e6", "e4", "e5", "e7"]
    assert sent(branch, truncate=HistorySettings(max_messages=1)) == ["e7"]
    assert sent(branch, truncate=HistorySettings(max_tokens=1)) == ["e7"]


def test_conversation_without_a_user_is_sent_whole():
    branch = Branch()
    branch.assistant(words(10))

    assert sent(branch, truncate=HistorySettings(max_tokens=1)) == ["e0"]


@pytest.mark.parametrize(("turns", "first"), [(1, "e4"), (2, "e2"), (3, "e0"), (9, "e0")])
def test_last_user_turns_and_everything_after_each_are_sent(turns, first):
    assert sent(talk(3), user_turns=turns)[0] == first


def test_stricter_of_both_limits_counts():
    assert sent(talk(3), truncate=HistorySettings(max_messages=4), user_turns=1)[0] == "e4"
    assert sent(talk(3), truncate=HistorySettings(max_messages=2), user_turns=2)[0] == "e4"


@given(turns=st.integers(1, 8), max_messages=st.none() | st.integers(1, 20), max_tokens=st.none() | st.integers(1, 200))
def test_what_is_sent_satisfies_both_limits_or_is_the_newest_turn(turns, max_messages, max_tokens):
    settings = HistorySettings(max_messages=max_messages, max_tokens=max_tokens)

    chosen = select_messages(build_view(talk(turns).entries), truncate=settings)

    assert isinstance(chosen[0].message, UserMessage)
    if len(chosen) > 2:
        assert max_messages is None or len(chosen) <= max_messages
        assert max_tokens is None or sum(estimate_message(placed.message) for placed in chosen) <= max_tokens


@pytest.mark.parametrize(
    ("channel", "peer", "turns"),
    [("telegram", "5", 3), ("telegram", "6", None), ("telegram", "7", 10), ("discord", "5", None)],
)
def test_limit_of_a_peer_wins_over_that_of_the_channel(channel, peer, turns):
    limits = DmHistoryLimits(by_channel={"telegram": 10}, by_peer={("telegram", "5"): 3, ("telegram", "6"): 0})

    assert limits.get(channel, peer) == turns
