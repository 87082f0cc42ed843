"""Repeating model requests: how long, how often, and when another model is asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.policy.retry import AskNext, GiveUp, Retry, RetryDecision, RetrySettings, decide_retry
from instar.errors import (
    ModelAuthFailed,
    ModelCutOff,
    ModelError,
    ModelNotFound,
    ModelOverflow,
    ModelRateLimited,
    ModelRejected,
    ModelUnavailable,
)

SETTINGS = RetrySettings()
PASSING = [ModelRateLimited("x"), ModelUnavailable("x"), ModelCutOff("x")]
LASTING = [ModelAuthFailed("x"), ModelNotFound("x"), ModelRejected("x"), ModelRateLimited("quota", lasting=True)]


def decide(error: ModelError, *, attempt: int = 1, elapsed_s: float = 0, has_next: bool = False) -> RetryDecision:
    return decide_retry(error, attempt=attempt, elapsed_s=elapsed_s, limit_s=100, has_next=has_next, settings=SETTINGS)


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
def test_what_passes_is_repeated_with_growing_waits_and_a_last_attempt(error: ModelError) -> None:
    waits = [decide(error, attempt=attempt) for attempt in (1, 2, 3, 4)]
    assert waits == [Retry(wait_s=1.0), Retry(wait_s=2.0), Retry(wait_s=4.0), GiveUp()]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
def test_with_another_model_at_hand_it_is_repeated_only_once(error: ModelError) -> None:
    assert decide(error, attempt=1, has_next=True) == Retry(wait_s=1.0)
    assert decide(error, attempt=2, has_next=True) == AskNext()


@pytest.mark.parametrize("error", LASTING, ids=lambda error: type(error).__name__)
def test_what_does_not_pass_goes_to_the_next_model_at_once(error: ModelError) -> None:
    assert decide(error, has_next=True) == AskNext()
    assert decide(error) == GiveUp()


@pytest.mark.parametrize("has_next", [True, False])
def test_an_overflow_is_left_to_compaction(has_next: bool) -> None:
    assert decide(ModelOverflow("x"), has_next=has_next) == GiveUp()


def test_the_providers_word_on_waiting_counts() -> None:
    assert decide(ModelRateLimited("x", retry_after_ms=7_000)) == Retry(wait_s=7.0)
    assert decide(ModelRateLimited("x", retry_after_ms=60_000)) == Retry(wait_s=60.0)


def test_nobody_waits_long_while_another_model_could_answer() -> None:
    assert decide(ModelRateLimited("x", retry_after_ms=60_000), has_next=True) == AskNext()


def test_a_wait_must_fit_into_the_time_limit() -> None:
    assert decide(ModelUnavailable("x"), elapsed_s=98.9) == Retry(wait_s=1.0)
    assert decide(ModelUnavailable("x"), elapsed_s=99) == GiveUp()
    assert decide(ModelUnavailable("x"), elapsed_s=99, has_next=True) == AskNext()
    assert decide(ModelUnavailable("x"), elapsed_s=100, has_next=True) == GiveUp()


@given(
    attempt=st.integers(1, 60),
    elapsed_s=st.floats(0, 1000),
    retry_after_ms=st.none() | st.integers(0, 10_000_000),
    has_next=st.booleans(),
    error=st.sampled_from([*PASSING, *LASTING, ModelOverflow("x")]),
)
def test_a_turn_always_comes_to_an_end_within_its_limit(
    attempt: int, elapsed_s: float, retry_after_ms: int | None, has_next: bool, error: ModelError
) -> None:
    failed = type(error)("x", retry_after_ms=retry_after_ms, lasting=error.lasting)
    decision = decide(failed, attempt=attempt, elapsed_s=elapsed_s, has_next=has_next)
    if isinstance(decision, Retry):
        assert attempt < SETTINGS.attempts
        assert elapsed_s + decision.wait_s < 100
    if isinstance(decision, AskNext):
        assert has_next
        assert elapsed_s < 100
