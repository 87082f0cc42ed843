"""Is this session still the same conversation at `now`, or does the next message begin a new one (RESET-12…18).

Two tests. The *daily* one asks whether the session began before the last daily boundary, the *idle* one whether it
was left alone for longer than its window. Nothing happens at the boundary itself: the question is asked when a
message arrives (RESET-18).

Theory of operation: the boundaries of a policy depend on zone, hour and minute only, and change once a day. So the
boundaries around one UTC day are worked out once, with real calendar arithmetic, and kept; a question about any
moment of that day is then a search in seven integers. A local date can differ from the UTC date by one day either
way, and a zone that jumps over the date line moves a boundary by one more; three days on each side leave room.

Worked example, New York, daily at 02:30, spring forward on 8 March: 02:30 does not exist that day. The offset before
the change (UTC-5) names 07:30 UTC, which the clocks then call 03:30 (RESET-14). The boundary of 7 March is 02:30 of
that day, not 24 hours before the shifted one.

The invariant: for the same session, once stale stays stale as `now` grows (as long as none of its times lies in the
future, which RESET-12 treats as unknown).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from datetime import date, datetime, time, tzinfo
from functools import lru_cache
from typing import Literal

from instar.core.lifecycle.reset import ResetPolicy
from instar.core.model.ids import Instant
from instar.core.model.session import Lifecycle

__all__ = ["Freshness", "StaleReason", "decide_freshness", "find_boundaries"]

StaleReason = Literal["daily", "idle"]
"""Which test a stale session failed; of both, the one that came due first (RESET-16)."""

_DAY_MS = 86_400_000
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_DAYS_AROUND = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """Whether a session goes on, and everything the answer was made from.

    `reason` is None for a fresh session. `daily_reset_at` is the last boundary, None without a daily test;
    `idle_expires_at` is when the idle window ends, None without an idle test or when nothing is known. `rule` gave
    the answer. `next_expiry_at` is when a fresh session turns stale if nobody writes; None if never, or stale
    already. `started_at` and `interacted_at` are what was taken for them, None when nothing was known (RESET-12).
    """

    fresh: bool
    reason: StaleReason | None
    rule: str
    daily_reset_at: Instant | None = None
    idle_expires_at: Instant | None = None
    next_expiry_at: Instant | None = None
    started_at: Instant | None = None
    interacted_at: Instant | None = None


def decide_freshness(
    lifecycle: Lifecycle,
    *,
    header_at: Instant | None,
    policy: ResetPolicy,
    now: Instant,
    zone: tzinfo,
    provider_owned: bool = False,
    shown_by_client: bool = False,
) -> Freshness:
    """Whether the session goes on at `now` (RESET-12…16, RESET-27, RESET-28, LOSS-7).

    `header_at` is the time in the transcript's header, None if unknown. `zone` is the zone of the gateway's host; it
    must be hashable, as `ZoneInfo` is. `provider_owned` says that a provider keeps this session on its side: the
    default policy does not cut that. `shown_by_client` says that a client sends with the session id it was showing,
    which keeps the session for this one message.
    """
    started_at = _first_known(lifecycle.started_at, header_at, lifecycle.updated_at, now=now)
    interacted_at = _first_known(lifecycle.last_interaction_at, started_at, now=now)
    found = _test(policy, started_at=started_at, interacted_at=interacted_at, now=now, zone=zone)
    if found.fresh:
        return found
    if provider_owned and not policy.explicit:
        return replace(found, fresh=True, reason=None, rule="RESET-27")
    if shown_by_client:
        return replace(found, fresh=True, reason=None, rule="RESET-28")
    return found


@lru_cache(maxsize=256)
def find_boundaries(zone: tzinfo, utc_day: int, *, hour: int, minute: int) -> tuple[Instant, ...]:
    """The daily boundaries around a UTC day (days since 1970), ascending: one for each nominal local date.

    A wall time that a change of the clocks leaves out is the moment reached with the offset before the change; one
    that exists twice is the first: both are what `fold=0` means to the standard library (RESET-14).
    """
    moments = [
        datetime.combine(date.fromordinal(_EPOCH_ORDINAL + day), time(hour, minute), tzinfo=zone).timestamp()
        for day in range(utc_day - _DAYS_AROUND, utc_day + _DAYS_AROUND + 1)
    ]
    return tuple(sorted(Instant(round(moment * 1000)) for moment in moments))


def _test(
    policy: ResetPolicy, *, started_at: Instant | None, interacted_at: Instant | None, now: Instant, zone: tzinfo
) -> Freshness:
    """Both tests, without the two excuses."""
    if policy.mode == "none":
        return Freshness(fresh=True, reason=None, rule="RESET-10", started_at=started_at, interacted_at=interacted_at)
    last_daily_at, next_daily_at = _boundaries_beside(policy, now=now, zone=zone)
    # The idle test asks for the last interaction only; the daily one cannot do without a start.
    if interacted_at is None or (started_at is None and policy.mode == "daily"):
        return Freshness(fresh=False, reason=policy.mode, rule="RESET-12", daily_reset_at=last_daily_at)
    is_overdue = last_daily_at is not None and started_at is not None and started_at < last_daily_at
    daily_due_at = last_daily_at if is_overdue else next_daily_at
    if daily_due_at is not None and policy.quiet_s:
        daily_due_at = max(daily_due_at, Instant(interacted_at + policy.quiet_s * 1000))
    idle_at = None if policy.idle_s is None else Instant(interacted_at + policy.idle_s * 1000)
    reason, rule = _compare(daily_due_at, idle_at=idle_at, now=now)
    if reason is None and is_overdue:
        rule = "LOSS-7"
    due = [at for at in (daily_due_at, idle_at) if at is not None]
    return Freshness(
        fresh=reason is None,
        reason=reason,
        rule=rule,
        daily_reset_at=last_daily_at,
        idle_expires_at=idle_at,
        next_expiry_at=min(due) if due and reason is None else None,
        started_at=started_at,
        interacted_at=interacted_at,
    )


def _boundaries_beside(
    policy: ResetPolicy, *, now: Instant, zone: tzinfo
) -> tuple[Instant, Instant] | tuple[None, None]:
    """The last daily boundary not after `now` and the next one; None where there is no daily test (RESET-13)."""
    if policy.mode != "daily":
        return None, None
    boundaries = find_boundaries(zone, now // _DAY_MS, hour=policy.at_hour, minute=policy.at_minute)
    place = bisect_right(boundaries, now)
    return boundaries[place - 1], boundaries[place]


def _compare(daily_due_at: Instant | None, *, idle_at: Instant | None, now: Instant) -> tuple[StaleReason | None, str]:
    """Which test failed and the rule that says so; of two, the one whose moment came first, `daily` in a tie.

    A daily reset is due from its moment on, an idle one after it (RESET-13, RESET-15).
    """
    is_daily = daily_due_at is not None and now >= daily_due_at
    is_idle = idle_at is not None and now > idle_at
    if is_daily and is_idle:
        came_first: StaleReason = "daily" if (daily_due_at or 0) <= (idle_at or 0) else "idle"
        return came_first, "RESET-16"
    if is_daily:
        return "daily", "RESET-13"
    if is_idle:
        return "idle", "RESET-15"
    if daily_due_at is not None:
        return None, "RESET-13"
    return None, "RESET-15" if idle_at is not None else "RESET-10"


def _first_known(*moments: Instant | None, now: Instant) -> Instant | None:
    """The first moment that is known; one in the future or before 1970 is not (RESET-12)."""
    return next((at for at in moments if at is not None and 0 <= at <= now), None)
