"""Where a turn starts, in what a model sees."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.context.turns import find_newest_turn, find_start, may_start_turn, split_turns, starts_turn
from instar.core.transcript.injected import build_injected_message, build_mirror_message
from tests.builders.transcripts import START, Branch, assistant, call, other, result, user

FIRST = [user("one"), assistant("first answer")]
CALL = [assistant(call("c")), result("c", "seen")]
INJECTED = build_injected_message("from elsewhere", label=None, at=START)
MIRRORED = build_mirror_message("sent by a tool", at=START)


@pytest.mark.parametrize(
    ("messages", "start"),
    [
        ([], None),
        ([assistant("hello")], None),
        (FIRST, 0),
        ([*FIRST, user("two")], 2),
        ([*FIRST, user("two"), *CALL], 2),
        ([*FIRST, user("two"), *CALL, user("three")], 2),
        ([*FIRST, user("two"), *CALL, user("three"), assistant("for both")], 2),
        ([*FIRST, user("two"), *CALL, assistant("for two"), user("three")], 6),
        ([*FIRST, user("two"), user("three")], 2),
        ([*FIRST, other("custom", content="two"), *CALL, user("three")], 2),
        ([*FIRST, other("bashExecution", command="ls"), user("two")], 2),
        ([*FIRST, other("branchSummary", summary="that way")], 2),
        ([*FIRST, other("compactionSummary", summary="so far")], 0),
        ([user("one"), assistant(call("c"), stop="aborted"), result("c", "cut"), user("two")], 3),
        ([user("one"), assistant("par", stop="error"), user("two")], 2),
        ([*CALL, user("two")], 2),
        ([*CALL, user("two"), assistant(call("d")), result("d"), user("three")], 2),
    ],
)
def test_newest_turn_goes_back_to_what_no_answer_has_closed(messages, start):
    assert find_newest_turn(messages) == start


def test_turns_are_told_apart_and_only_the_newest_may_be_open():
    messages = [assistant("before"), *FIRST, user("two"), *CALL, user("three"), assistant("for both"), user("four")]

    assert [(turn.start, turn.is_closed) for turn in split_turns(messages)] == [(1, True), (3, True), (8, False)]
    assert [turn.is_closed for turn in split_turns(FIRST)] == [True]
    assert split_turns([assistant("before")]) == ()


def test_line_that_was_put_in_closes_no_turn():
    assert find_newest_turn([user("one"), INJECTED, user("two")]) == 0
    assert find_newest_turn([user("one"), *CALL, INJECTED, user("two")]) == 0
    assert find_newest_turn([user("one"), *CALL, INJECTED, assistant("done"), user("two")]) == 5
    assert find_newest_turn([*FIRST, INJECTED, user("two")]) == 3


def test_delivery_that_was_mirrored_closes_only_what_waits_for_no_tool():
    assert find_newest_turn([user("one"), MIRRORED, user("two")]) == 2
    assert find_newest_turn([user("one"), *CALL, MIRRORED, user("two")]) == 0
    assert find_newest_turn([user("one"), *CALL, MIRRORED, assistant("done"), user("two")]) == 5


def test_entries_and_the_messages_that_stand_for_them_agree():
    branch = Branch()
    branch.user("one")
    branch.assistant(call("c"))
    branch.result("c")
    branch.custom_message("a note")
    branch.branch_summary("that way")
    branch.message(other("bashExecution", command="ls"))
    branch.model_change()

    assert [starts_turn(entry) for entry in branch.entries] == [True, False, False, True, True, True, False]
    assert [may_start_turn(entry.message) for entry in branch.entries[:3]] == [True, False, False]


def test_start_goes_back_as_far_as_everything_fits():
    messages = [user("x" * 40), assistant("x" * 40), other("custom", content="x" * 40), assistant("x" * 40), user("x")]

    def start(most):
        return find_start(messages, 4, fits=lambda count, tokens: count <= most and tokens <= 41)

    assert [start(most) for most in (0, 1, 2, 3, 4, 5)] == [4, 4, 4, 2, 2, 0]
    assert find_start(messages, 4, fits=lambda _count, tokens: tokens <= 30) == 2


@given(st.lists(st.sampled_from(["user", "custom", "answer", "call", "error", "injected", "mirrored"]), max_size=12))
def test_newest_turn_starts_where_one_may_and_right_behind_the_end_of_another(kinds):
    made = {
        "user": [user("x")],
        "custom": [other("custom", content="x")],
        "answer": [assistant("x")],
        "call": CALL,
        "error": [assistant("x", stop="error")],
        "injected": [INJECTED],
        "mirrored": [MIRRORED],
    }
    messages = [message for kind in kinds for message in made[kind]]
    start = find_newest_turn(messages)

    assert (start is None) == (not any(map(may_start_turn, messages)))
    if start is not None:
        assert may_start_turn(messages[start])
        assert start == 0 or not may_start_turn(messages[start - 1])
