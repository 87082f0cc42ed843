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
from tests.builders.transcripts import Branch, call


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


# --- the turn that runs -----------------------------------------------------------------------------------------------

LIMITS = [{"truncate": HistorySettings(max_messages=1)}, {"truncate": HistorySettings(max_tokens=1)}, {"user_turns": 1}]


@pytest.mark.parametrize("limits", LIMITS)
def test_what_is_put_into_a_turn_does_not_push_its_first_message_out(limits):
    branch = talk(2)
    branch.user("the first")
    branch.assistant(call("c"))
    branch.result("c", "seen")
    branch.user("and hurry")

    assert sent(branch, **limits) == ["e4", "e5", "e6", "e7"]


@pytest.mark.parametrize("limits", LIMITS[:2])
def test_turn_that_begins_at_a_prompt_of_the_gateway_goes_on_to_see_it(limits):
    branch = talk(2)
    branch.custom_message("Now answer this message", custom_type="instar.backlog")
    branch.assistant(call("c"))
    branch.result("c", "seen")
    branch.user("and hurry")

    assert sent(branch, **limits) == ["e4", "e5", "e6", "e7"]


@pytest.mark.parametrize("limits", LIMITS)
def test_messages_that_were_collected_for_one_turn_stay_together(limits):
    branch = talk(2)
    for number in range(3):
        branch.user(f"#{number}")

    assert sent(branch, **limits) == ["e4", "e5", "e6"]


def test_turn_at_a_prompt_of_the_gateway_is_left_out_from_there_on():
    branch = talk(1)
    branch.custom_message(words(10), custom_type="instar.backlog")
    branch.assistant(words(10))
    branch.user(words(10))

    assert sent(branch, truncate=HistorySettings(max_messages=3)) == ["e2", "e3", "e4"]


def test_older_turns_may_be_cut_where_somebody_wrote_while_they_ran():
    branch = Branch()
    branch.user(words(10))
    branch.assistant(call("c"))
    branch.result("c", "seen")
    branch.user(words(10))
    branch.assistant(words(10))
    branch.user(words(10))

    assert sent(branch, truncate=HistorySettings(max_messages=3)) == ["e3", "e4", "e5"]


@given(
    steps=st.lists(st.sampled_from(["user", "backlog", "call", "answer", "failure"]), max_size=14),
    max_messages=st.none() | st.integers(1, 6),
    max_tokens=st.none() | st.integers(1, 60),
    user_turns=st.none() | st.integers(1, 3),
)
def test_message_that_waits_for_an_answer_is_always_sent(steps, max_messages, max_tokens, user_turns):
    branch = Branch()
    waiting = []
    for number, step in enumerate(steps):
        if step == "user":
            waiting.append(branch.user(words(5)))
        elif step == "backlog":
            waiting.append(branch.custom_message(words(5), custom_type="instar.backlog"))
        elif step == "call":
            branch.assistant(call(f"c{number}"))
            branch.result(f"c{number}", words(5))
        else:
            branch.assistant(words(5), stop="stop" if step == "answer" else "error")
            waiting = []
    limits = HistorySettings(max_messages=max_messages, max_tokens=max_tokens)

    assert set(waiting) <= set(sent(branch, truncate=limits, user_turns=user_turns))


@pytest.mark.parametrize(
    ("channel", "peer", "turns"),
    [("telegram", "5", 3), ("telegram", "6", None), ("telegram", "7", 10), ("discord", "5", None)],
)
def test_limit_of_a_peer_wins_over_that_of_the_channel(channel, peer, turns):
    limits = DmHistoryLimits(by_channel={"telegram": 10}, by_peer={("telegram", "5"): 3, ("telegram", "6"): 0})

    assert limits.get(channel, peer) == turns
