"""What becomes of a reply that is owed (LOSS-5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.delivery.owed import DeliverySettings, NextStep, decide_after_failure, decide_unknown
from instar.core.model.ids import Instant

SETTINGS = DeliverySettings(max_attempts=3, backoff_ms=1000, backoff_max_ms=1500, resend_within_ms=600_000)
NOW = Instant(1_800_000_000_000)


@pytest.mark.parametrize(
    ("attempt", "permanent", "retry_after_ms", "expected"),
    [
        pytest.param(1, False, None, NextStep(state="pending", next_at=Instant(NOW + 1000)), id="first-failure"),
        pytest.param(2, False, None, NextStep(state="pending", next_at=Instant(NOW + 1500)), id="wait-is-bounded"),
        pytest.param(1, False, 9000, NextStep(state="pending", next_at=Instant(NOW + 9000)), id="platform-says-later"),
        pytest.param(1, False, 10, NextStep(state="pending", next_at=Instant(NOW + 1000)), id="platform-says-sooner"),
        pytest.param(3, False, None, NextStep(state="failed"), id="tries-used-up"),
        pytest.param(1, True, None, NextStep(state="failed"), id="permanent"),
    ],
)
def test_failed_sending_is_tried_again_within_limits(
    attempt: int, permanent: bool, retry_after_ms: int | None, expected: NextStep
) -> None:
    got = decide_after_failure(SETTINGS, attempt=attempt, permanent=permanent, retry_after_ms=retry_after_ms, now=NOW)
    assert got == expected


@pytest.mark.parametrize(
    ("tells_repeats", "age_ms", "state"),
    [
        (True, 10**9, "pending"),
        (False, 600_000, "pending"),
        (False, 600_001, "unknown"),
        # From the future: the clock was set back since, and nobody can say how old it is.
        (False, -600_000, "pending"),
        (False, -600_001, "unknown"),
        (True, -(10**9), "pending"),
    ],
)
def test_unknown_reply_is_sent_again_only_where_that_is_safe_or_fresh(
    tells_repeats: bool, age_ms: int, state: str
) -> None:
    step = decide_unknown(SETTINGS, tells_repeats=tells_repeats, created_at=Instant(NOW - age_ms), now=NOW)
    assert step.state == state
    assert step.next_at is None  # at once, or never


@given(attempt=st.integers(1, 10_000), retry=st.none() | st.integers(0, 10**7))
def test_every_failure_ends_or_comes_back_later(attempt: int, retry: int | None) -> None:
    step = decide_after_failure(DeliverySettings(), attempt=attempt, permanent=False, retry_after_ms=retry, now=NOW)
    assert step.state == "failed" or (step.state == "pending" and step.next_at is not None and step.next_at > NOW)
