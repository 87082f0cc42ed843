"""How often something may be tried: buckets that refill, waits that grow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.policy.rate import (
    BackoffSettings,
    Bucket,
    Failures,
    RateSettings,
    ShareSettings,
    apply_failure,
    decide_leaver,
    decide_take,
    decide_wait,
)

RATE = RateSettings(burst=3, per_minute=6)
BACKOFF = BackoffSettings(free=2, first_wait_s=1, max_wait_s=5, forget_after_s=100)


def fail(times: int, *, at_s: float = 0) -> Failures:
    failures = None
    for _ in range(times):
        failures = apply_failure(failures, BACKOFF, now_s=at_s)
    assert failures is not None
    return failures


def test_a_new_bucket_is_full_and_then_tells_when_the_next_piece_is_there() -> None:
    bucket = None
    for left in (2, 1, 0):
        taken = decide_take(bucket, RATE, now_s=0)
        assert (taken.allowed, taken.bucket, taken.retry_after_ms) == (True, Bucket(left=left, at_s=0), 0)
        bucket = taken.bucket
    refused = decide_take(bucket, RATE, now_s=4)
    assert (refused.allowed, refused.retry_after_ms) == (False, 6000)
    assert decide_take(refused.bucket, RATE, now_s=10).allowed


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    bucket = decide_take(Bucket(left=0, at_s=0), RATE, now_s=1e9).bucket
    assert bucket.left == RATE.burst - 1


def test_a_clock_that_went_back_takes_nothing_away() -> None:
    assert decide_take(Bucket(left=1, at_s=50), RATE, now_s=10).allowed


@given(st.lists(st.floats(0, 60), max_size=60))
def test_no_order_of_attempts_takes_more_than_the_burst_and_what_flowed_in(pauses: list[float]) -> None:
    bucket, now_s, taken = None, 0.0, 0
    for pause in pauses:
        now_s += pause
        take = decide_take(bucket, RATE, now_s=now_s)
        bucket, taken = take.bucket, taken + take.allowed
    assert taken <= RATE.burst + now_s * RATE.per_minute / 60 + 1e-6


@given(st.floats(0, 2.999), st.floats(0, 1e6))
def test_whoever_comes_back_when_told_gets_a_piece(left: float, at_s: float) -> None:
    first = decide_take(Bucket(left=left, at_s=at_s), RATE, now_s=at_s)
    if not first.allowed:
        assert decide_take(first.bucket, RATE, now_s=at_s + first.retry_after_ms / 1000 + 1e-6).allowed


@pytest.mark.parametrize(("count", "wait_ms"), [(1, 0), (2, 0), (3, 1000), (4, 2000), (5, 4000), (6, 5000), (99, 5000)])
def test_waits_begin_after_the_free_failures_and_double_up_to_a_bound(count: int, wait_ms: int) -> None:
    assert decide_wait(fail(count), BACKOFF, now_s=0) == wait_ms


def test_without_a_failure_nobody_waits() -> None:
    assert decide_wait(None, BACKOFF, now_s=0) == 0


def test_a_wait_ends() -> None:
    assert decide_wait(fail(3), BACKOFF, now_s=0.25) == 750
    assert decide_wait(fail(3), BACKOFF, now_s=1) == 0


def test_a_quiet_time_forgets() -> None:
    assert apply_failure(fail(9), BACKOFF, now_s=100).count == 10
    assert apply_failure(fail(9), BACKOFF, now_s=101).count == 1


def test_very_many_failures_overflow_nothing() -> None:
    assert decide_wait(Failures(count=10**9, at_s=0), BACKOFF, now_s=0) == 5000


@pytest.mark.parametrize(
    ("held", "leaver"),
    [
        ({"a": 1}, None),
        ({"a": 4}, "a"),
        ({"a": 3, "b": 3}, None),
        ({"a": 2, "b": 3, "c": 2}, "b"),
        ({"a": 3, "b": 3, "c": 1}, "a"),
        ({"a": 2, "c": 3, "b": 3}, "b"),
    ],
)
def test_whoever_holds_most_lets_go(held, leaver):
    assert decide_leaver(held, newest="a", settings=ShareSettings(each=3, all=6)) == leaver
