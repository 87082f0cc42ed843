"""When sessions start over by themselves, told in another way than the gateway decides it (RESET-13, RESET-15, LOSS-7).

The gateway asks at the begin of a turn and works with boundaries in UTC. Here the same is asked of the commit that
came of it, in the host's own local time, and left open within `DOUBT_MS` of a boundary, where the clocks may just be
changed. Sessions whose times lie in the future (the clock was set back) are left alone.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo
from typing import Final

from instar.core.model.change import NewDelivery, SessionChange
from instar.core.model.ids import Instant, SessionKey
from instar.core.model.session import Session
from instar.ports.clock import Clock
from instar.testing.simulate.findings import Findings
from instar.testing.simulate.story import Setting

__all__ = ["Resets", "is_notice"]

DOUBT_MS: Final = 2 * 3_600_000
"""Around a daily boundary nothing is claimed: a change of the clocks may move it so far."""

_AUTOMATIC: Final = ("daily", "idle")
_ANSWER: Final = re.compile(r"a\d+a\b")


class Resets:
    """Watches every commit for sessions that start over too early, too late, or without a word."""

    def __init__(self, findings: Findings, setting: Setting, clock: Clock, *, has_fanout: bool) -> None:
        self._findings = findings
        self._setting = setting
        self._clock = clock
        self._has_fanout = has_fanout
        self._untold: set[SessionKey] = set()

    def watch(self, name: str, key: SessionKey, change: SessionChange, before: Session | None) -> None:
        """Look at a commit called `name` about a session that was `before`."""
        if before is not None and (change.close in _AUTOMATIC or self._goes_on(name, change)):
            due = self._find_due(before, now=self._clock.now(), zone=self._clock.zone())
            if change.close in _AUTOMATIC and due is False:
                self._findings.report("RESET-13", f"{key} started over ({change.close}) before it was due")
            if change.close is None and due is True:
                self._findings.report("RESET-15", f"{key} goes on although it was due to start over")
        self._hear(key, change)

    def forget(self, key: SessionKey) -> None:
        """The session was deleted, and with it what its people were to be told."""
        self._untold.discard(key)

    def _goes_on(self, name: str, change: SessionChange) -> bool:
        """Whether a turn begins that asked for no reset and ran alone."""
        is_asked = any(noted.decision.kind == "reset" for noted in change.decisions)
        return name == "begin_turn" and change.close is None and not is_asked and not self._has_fanout

    def _find_due(self, session: Session, *, now: Instant, zone: tzinfo) -> bool | None:
        """Whether the session was due to start over; None where it is not known."""
        times = session.lifecycle
        started, interacted = times.started_at, times.last_interaction_at or times.started_at
        if started is None or interacted is None or started > now or interacted > now:
            return None
        match self._setting.reset_mode:
            case "idle":
                return now - interacted > self._setting.idle_minutes * 60_000
            case "daily":
                boundary = _last_boundary(now, zone, hour=self._setting.reset_hour)
                is_in_doubt = (
                    abs(started - boundary) < DOUBT_MS or min(now - boundary, boundary + _DAY_MS - now) < DOUBT_MS
                )
                return None if is_in_doubt else started < boundary
            case _:
                return False

    def _hear(self, key: SessionKey, change: SessionChange) -> None:
        """The first answer after an automatic reset says so, and no other does (LOSS-7)."""
        if change.close is not None:
            self._untold.discard(key)
        if change.close in _AUTOMATIC:
            self._untold.add(key)
        for delivery in change.deliveries:
            is_told = is_notice(delivery)
            if is_told and key not in self._untold:
                self._findings.report("LOSS-7", f"{key} is said to be new and is not: {delivery.text[:60]}")
            elif not is_told and key in self._untold and delivery.state == "pending" and _ANSWER.match(delivery.text):
                self._findings.report("LOSS-7", f"{key} started over in silence: {delivery.text[:60]}")
            if is_told and delivery.state == "pending":
                self._untold.discard(key)


_DAY_MS: Final = 86_400_000


def _last_boundary(now: Instant, zone: tzinfo, *, hour: int) -> int:
    """The last moment not after `now` at which the host's clock showed that hour."""
    local = datetime.fromtimestamp(now / 1000, zone)
    boundary = local.replace(hour=hour, minute=0, second=0, microsecond=0)
    if boundary > local:
        boundary -= timedelta(days=1)
    return round(boundary.timestamp() * 1000)


def is_notice(delivery: NewDelivery) -> bool:
    """Whether a reply begins with the line about an automatic reset."""
    return delivery.text.startswith("New session (")
