"""How long and how often replies are tried (LOSS-5)."""

from __future__ import annotations

import pytest

from instar.config.sections.delivery import parse_delivery
from instar.core.delivery.owed import DeliverySettings
from instar.errors import ConfigError


def test_nothing_set_is_the_default():
    assert parse_delivery({}) == DeliverySettings()


@pytest.mark.parametrize(("value", "ms"), [("2h", 7_200_000), (3, 180_000), (0, 0)])
def test_the_time_is_a_duration_or_minutes(value, ms):
    assert parse_delivery({"delivery": {"resendWithin": value}}).resend_within_ms == ms


def test_attempts_are_counted_from_one():
    assert parse_delivery({"delivery": {"maxAttempts": 2}}).max_attempts == 2
    with pytest.raises(ConfigError, match=r"delivery\.maxAttempts"):
        parse_delivery({"delivery": {"maxAttempts": 0}})
