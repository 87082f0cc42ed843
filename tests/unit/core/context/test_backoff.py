"""A summary that could not be made is asked for again later and later, except where somebody waits for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instar.core.context.backoff import find_next_attempt, must_rest, note_failure, note_success
from instar.core.lifecycle.reset import COMPACTION_FIELD, apply_reset
from tests.builders.turns import NOW, SESSION_ID, build_session

MINUTE = 60_000


def rests(session, reason="threshold", *, after, tokens=5_000):
    return must_rest(session, reason, now=NOW + after, estimated_tokens=tokens)


def fail(times):
    session = build_session()
    for _ in range(times):
        session = note_failure(session, NOW)
    return session


def test_without_a_failure_nothing_rests():
    assert not rests(build_session(), after=0)
    assert find_next_attempt(build_session()) is None


@pytest.mark.parametrize(("times", "minutes"), [(1, 5), (2, 10), (3, 20), (7, 320), (8, 360), (9, 360), (50, 360)])
def test_the_rest_doubles_up_to_six_hours(times, minutes):
    session = fail(times)
    assert find_next_attempt(session) == NOW + minutes * MINUTE
    assert rests(session, after=minutes * MINUTE - 1)
    assert not rests(session, after=minutes * MINUTE)


@pytest.mark.parametrize("reason", ["overflow", "manual"])
def test_what_cannot_wait_does_not_rest(reason):
    assert not rests(fail(3), reason, after=0)


@pytest.mark.parametrize("reason", ["threshold", "bytes", "limits"])
def test_what_comes_by_itself_rests(reason):
    assert rests(fail(1), reason, after=0)


def test_a_summary_that_was_too_long_is_tried_again_once_the_context_has_outgrown_it():
    session = note_failure(fail(4), NOW, tokens=3_000)
    assert rests(session, after=0, tokens=3_000)
    assert not rests(session, after=0, tokens=3_001)
    assert not rests(session, after=5 * MINUTE, tokens=3_000)


def test_a_success_and_a_reset_end_the_rest():
    kept = replace(fail(2), extra={**fail(2).extra, "theirs": 1})
    assert note_success(kept).extra == {"theirs": 1}
    assert apply_reset(kept, session_id=SESSION_ID, now=NOW).extra == {"theirs": 1}


@pytest.mark.parametrize("noted", ["soon", {"failures": "2", "at": 1}, {"failures": 2}, {"failures": 0, "at": 1}])
def test_a_row_that_holds_something_else_rests_nothing(noted):
    session = replace(build_session(), extra={COMPACTION_FIELD: noted})
    assert not rests(session, after=0)
    assert note_failure(session, NOW).extra[COMPACTION_FIELD]["failures"] >= 1


def test_a_failure_of_a_time_that_was_taken_back_puts_nothing_off():
    assert rests(fail(3), after=0)
    assert not rests(fail(3), after=-1)
