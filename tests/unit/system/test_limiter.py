"""Buckets and failures by address or token."""

from __future__ import annotations

import pytest

from instar.core.policy.rate import BackoffSettings, RateSettings
from instar.system.limiter import FailureGuard, RateLimiter, address_key
from instar.testing.clock import ManualClock


def test_each_name_has_a_bucket_of_its_own() -> None:
    clock = ManualClock()
    limiter = RateLimiter(RateSettings(burst=2, per_minute=60), clock=clock)
    assert [limiter.take("alice") for _ in range(3)] == [0, 0, 1000]
    assert limiter.take("bob") == 0
    clock.advance(1)
    assert limiter.take("alice") == 0


def test_the_name_that_was_asked_for_longest_ago_goes_first() -> None:
    limiter = RateLimiter(RateSettings(burst=1, per_minute=1), clock=ManualClock(), keys_max=2)
    assert limiter.take("alice") == 0
    assert limiter.take("bob") == 0
    assert limiter.take("alice") > 0
    assert limiter.take("carol") == 0
    assert limiter.take("alice") > 0, "alice was asked for after bob, so bob went"
    assert limiter.take("bob") == 0


def test_guessing_gets_slow_and_a_success_forgives() -> None:
    clock = ManualClock()
    guard = FailureGuard(BackoffSettings(free=1, first_wait_s=4, max_wait_s=60), clock=clock)
    guard.failed("192.0.2.7")
    assert guard.wait_ms("192.0.2.7") == 0
    guard.failed("192.0.2.7")
    assert guard.wait_ms("192.0.2.7") == 4000
    assert guard.wait_ms("192.0.2.8") == 0
    clock.advance(4)
    assert guard.wait_ms("192.0.2.7") == 0
    guard.succeeded("192.0.2.7")
    guard.failed("192.0.2.7")
    assert guard.wait_ms("192.0.2.7") == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "127.8.9.10", "::ffff:127.0.0.1"])
def test_the_owner_at_the_machine_is_never_locked_out_for_long(host: str) -> None:
    guard = FailureGuard(BackoffSettings(free=0, first_wait_s=600, max_wait_s=600), clock=ManualClock())
    key = address_key(host, door="/channels/cli")
    for _ in range(50):
        guard.failed(key)
    assert guard.wait_ms(key) == 2000


def test_failures_of_very_many_addresses_are_bounded() -> None:
    guard = FailureGuard(BackoffSettings(free=0, max_wait_s=9, first_wait_s=9), clock=ManualClock(), keys_max=2)
    for host in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        guard.failed(host)
    assert [guard.wait_ms(f"192.0.2.{n}") > 0 for n in (1, 2, 3)] == [False, True, True]


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::9", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::1", "::1"),
        (None, "unknown"),
        ("", "unknown"),
        ("testclient", "unknown"),
    ],
)
def test_addresses_that_one_stranger_can_draw_freely_are_one(host: str | None, key: str) -> None:
    assert address_key(host) == key
    assert address_key(host, door="hooks") == f"{key} hooks"
