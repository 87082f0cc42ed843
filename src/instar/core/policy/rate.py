"""How often something may be tried: a bucket that refills, and waits that grow with each failure (LEAK-3).

Two decisions over values. A *bucket* bounds what is allowed but costs something: sending, pairing, hooks. It holds
`burst` pieces and gains `per_minute` of them each minute; whoever finds it empty is told when the next piece is there.
*Failures* bound guessing: the first `free` ones cost nothing, then each doubles the wait, up to `max_wait_s`; a quiet
time forgets them, and so does one success. What is tried during a wait is refused unseen and counts for nothing, so
that a forgotten program that repeats a bad secret cannot lengthen the wait of the person beside it for ever.

*Shares* bound what is kept for callers: each may hold so much, and where all together hold too much, whoever holds most
lets go, so that nobody is pushed out by somebody else's greed.

What does not belong here: keeping a bucket for each address or token (`instar.system.limiter`). Times are seconds of a
monotonic clock.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = [
    "BackoffSettings",
    "Bucket",
    "Failures",
    "RateSettings",
    "ShareSettings",
    "Take",
    "apply_failure",
    "decide_leaver",
    "decide_take",
    "decide_wait",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RateSettings:
    """A bucket's size, at least 1, and how fast it fills, more than 0."""

    burst: int
    per_minute: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """What was left in a bucket at a moment. A bucket that nobody knows is full."""

    left: float
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """Whether a piece was taken, the bucket afterwards, and where it was empty how long until the next piece."""

    allowed: bool
    bucket: Bucket
    retry_after_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BackoffSettings:
    """How patient the gate is: `free` failures, then `first_wait_s`, doubled each time up to `max_wait_s`.

    Failures are forgotten once `forget_after_s` have passed since the last one.
    """

    free: int = 10
    first_wait_s: float = 1.0
    max_wait_s: float = 60.0
    forget_after_s: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """How many failures in a row, and when the last one was."""

    count: int
    at_s: float


def decide_take(bucket: Bucket | None, settings: RateSettings, *, now_s: float) -> Take:
    """Whether one more piece may be taken now; None is a bucket that was never touched."""
    per_second = settings.per_minute / 60
    full = float(settings.burst)
    left = full if bucket is None else min(full, bucket.left + max(0.0, now_s - bucket.at_s) * per_second)
    if left >= 1:
        return Take(allowed=True, bucket=Bucket(left=left - 1, at_s=now_s))
    wait_ms = math.ceil((1 - left) / per_second * 1000)
    return Take(allowed=False, bucket=Bucket(left=left, at_s=now_s), retry_after_ms=max(1, wait_ms))


def decide_wait(failures: Failures | None, settings: BackoffSettings, *, now_s: float) -> int:
    """Milliseconds until the next attempt is looked at; 0 for at once."""
    if failures is None or failures.count <= settings.free:
        return 0
    doublings = min(failures.count - settings.free - 1, 32)
    wait_s = min(settings.first_wait_s * float(2**doublings), settings.max_wait_s)
    return max(0, math.ceil((failures.at_s + wait_s - now_s) * 1000))


def apply_failure(failures: Failures | None, settings: BackoffSettings, *, now_s: float) -> Failures:
    """The failures with one more of them, or this one alone after a quiet time."""
    if failures is None or now_s - failures.at_s > settings.forget_after_s:
        return Failures(count=1, at_s=now_s)
    return Failures(count=failures.count + 1, at_s=now_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareSettings:
    """How much one holder may hold, and all of them together; both at least 1."""

    each: int
    all: int


def decide_leaver(held: Mapping[str, int], *, newest: str, settings: ShareSettings) -> str | None:
    """Whose oldest entry goes, now that `newest` holds one more; None where there is room.

    Of several who hold most it is the one who came last to ask: `newest`, if it is among them, else the first by name.
    """
    if held[newest] > settings.each:
        return newest
    if sum(held.values()) <= settings.all:
        return None
    most = max(held.values())
    return newest if held[newest] == most else min(name for name, count in held.items() if count == most)
