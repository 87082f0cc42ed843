"""Time, as the shell sees it. `core` never does: there `now` is an argument."""

from __future__ import annotations

from datetime import tzinfo
from typing import Protocol

from instar.core.model.ids import Instant

__all__ = ["Clock"]


class Clock(Protocol):
    """A clock, a stopwatch and a sleep."""

    def now(self) -> Instant:
        """The wall clock, epoch milliseconds UTC. It may jump; nothing measures a duration with it."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back. For durations and deadlines only."""
        ...

    def zone(self) -> tzinfo:
        """The host's time zone, in which daily resets are meant (COMPAT-10)."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait that long, by the monotonic clock."""
        ...
