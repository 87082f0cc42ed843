"""Buckets and failures by name: an address, a token, a channel (LEAK-3).

The decisions are `instar.core.policy.rate`; this keeps their values between calls. Both hold at most `keys_max` names
and let go of the one that was asked for longest ago: a stranger with very many addresses costs no memory, and gains
one fresh bucket for each address.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from typing import Final

from instar.core.policy.rate import (
    BackoffSettings,
    Bucket,
    Failures,
    RateSettings,
    apply_failure,
    decide_take,
    decide_wait,
)
from instar.ports.clock import Clock

__all__ = ["FailureGuard", "RateLimiter", "address_key"]

KEYS_MAX: Final = 10_000

LOOPBACK_MAX_WAIT_S: Final = 2.0
"""Whoever sits at this machine waits no longer: the owner must never be locked out by a program beside them."""

_IPV6_HOME_BITS: Final = 64
"""One customer has at least so much of an IPv6 address to themselves, so the rest tells nobody apart."""


class RateLimiter:
    """One bucket for each name, all of one size."""

    def __init__(self, settings: RateSettings, *, clock: Clock, keys_max: int = KEYS_MAX) -> None:
        self._settings = settings
        self._clock = clock
        self._keys_max = keys_max
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, key: str) -> int:
        """Take one piece: 0 if there was one, else the milliseconds until there is."""
        taken = decide_take(self._buckets.pop(key, None), self._settings, now_s=self._clock.monotonic())
        self._buckets[key] = taken.bucket
        if len(self._buckets) > self._keys_max:
            self._buckets.popitem(last=False)
        return 0 if taken.allowed else taken.retry_after_ms


class FailureGuard:
    """Failed attempts for each name, and how long the next one has to wait.

    Ask `wait_ms` before an attempt is looked at, then say how it went.
    """

    def __init__(self, settings: BackoffSettings, *, clock: Clock, keys_max: int = KEYS_MAX) -> None:
        self._settings = settings
        self._clock = clock
        self._keys_max = keys_max
        self._failures: OrderedDict[str, Failures] = OrderedDict()

    def wait_ms(self, key: str) -> int:
        """Milliseconds until the next attempt is looked at; 0 for at once."""
        wait_ms = decide_wait(self._failures.get(key), self._settings, now_s=self._clock.monotonic())
        return min(wait_ms, int(LOOPBACK_MAX_WAIT_S * 1000)) if _is_loopback(key) else wait_ms

    def failed(self, key: str) -> None:
        """An attempt was looked at and was wrong."""
        before = self._failures.pop(key, None)
        self._failures[key] = apply_failure(before, self._settings, now_s=self._clock.monotonic())
        if len(self._failures) > self._keys_max:
            self._failures.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """An attempt was right: what went wrong before was a slip."""
        self._failures.pop(key, None)


def address_key(host: str | None, *, door: str = "") -> str:
    """The name that an address goes by: IPv6 by its first 64 bits, and one for whoever has none. `door` comes after."""
    try:
        address = ipaddress.ip_address((host or "").split("%", 1)[0])
    except ValueError:
        return f"unknown {door}".strip()
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None:
        address = mapped
    if address.version == 6 and not address.is_loopback:
        address = ipaddress.ip_network((address, _IPV6_HOME_BITS), strict=False).network_address
    return f"{address} {door}".strip()


def _is_loopback(key: str) -> bool:
    try:
        return ipaddress.ip_address(key.split(" ", 1)[0]).is_loopback
    except ValueError:
        return False
