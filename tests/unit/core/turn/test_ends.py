"""How messages end, and the last line of a turn that did not go well (LOSS-2)."""

from __future__ import annotations

import pytest

from instar.core.model.entry import ZERO_USAGE, TextBlock
from instar.core.model.ids import EntryId, TurnId
from instar.core.turn.ends import (
    build_aborted_message,
    build_error_message,
    build_expiry_notice,
    plan_ends,
    plan_given,
)
from instar.core.turn.recover import build_given_reason
from tests.builders.turns import NOW, build_item


def test_the_first_message_of_a_turn_is_answered_and_the_others_are_merged_into_it():
    ends = plan_ends([build_item(number=n) for n in (1, 2, 3)], TurnId("t1"))
    assert [(end.inbound_id, end.state, end.turn_id, end.reason) for end in ends] == [
        ("in1", "answered", "t1", None),
        ("in2", "merged", "t1", None),
        ("in3", "merged", "t1", None),
    ]


def test_an_answer_that_is_none_says_why():
    assert {end.reason for end in plan_ends([build_item(), build_item(number=2)], TurnId("t1"), reason="stop")} == {
        "stop"
    }


def test_an_answer_after_which_a_turn_goes_on_is_noted_on_its_first_message():
    (noted,) = plan_given([build_item(), build_item(number=2)], TurnId("t1"), EntryId("e2"))
    assert (noted.inbound_id, noted.state, noted.turn_id) == ("in1", "running", "t1")
    assert noted.reason == build_given_reason(EntryId("e2"))
    assert plan_given([], TurnId("t1"), EntryId("e2")) == ()


def test_what_was_said_before_a_stop_is_kept_and_marked():
    message = build_aborted_message("half", now=NOW)
    assert (message.content, message.stop_reason, message.error_message) == ((TextBlock(text="half"),), "aborted", None)
    assert (message.provider, message.usage, message.timestamp) == ("instar", ZERO_USAGE, NOW)
    assert build_aborted_message("", now=NOW).content == ()


def test_a_failure_stands_beside_what_was_said():
    message = build_error_message("It broke.", partial="half", now=NOW)
    assert (message.content, message.stop_reason, message.error_message) == (
        (TextBlock(text="half"),),
        "error",
        "It broke.",
    )


@pytest.mark.parametrize(
    ("texts", "reason", "notice"),
    [
        (["hello"], "queue_cap", "Your message “hello” was not answered: too many messages were waiting."),
        (["a\n  b"], "reset", "Your message “a b” was not answered: the session was reset."),
        (["x" * 61], "deleted", f"Your message “{'x' * 59}…” was not answered: the session was deleted."),
        (["x" * 60], "stopped", f"Your message “{'x' * 60}” was not answered: it was stopped."),
        (["a", "b"], "interrupted", "2 of your messages were not answered: a newer message took its place.\n“a”\n“b”"),
        (["a"], "no such code", "Your message “a” was not answered: no such code."),
    ],
)
def test_the_sender_of_messages_that_get_no_turn_is_told_which_and_why(texts, reason, notice):
    assert build_expiry_notice(texts, reason) == notice
