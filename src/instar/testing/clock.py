"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from datetime import UTC, tzinfo
from itertools import count

from instar.core.model.ids import Instant

__all__ = ["ManualClock"]

START = Instant(1_767_225_600_000)
"""2026-01-01T00:00:00Z, a day like any other."""

SETTLE_TURNS = 25
"""Turns of the event loop that woken tasks get before time goes on; chains of awaits in tests are shorter."""


class ManualClock:
    """Keeps `instar.ports.clock.Clock` for tests.

    `advance` moves both the wall clock and the monotonic one and wakes sleepers in the order of their deadlines;
    `run_for` does the same and lets each woken task work, and sleep again, before the next one. `jump` moves the
    wall clock alone, as an administrator or NTP would. With `auto_advance_s` the clock moves by itself to the next
    deadline once nothing new was put to sleep for so many real seconds (0 is allowed): a test of retries then needs no
    hand on the clock.
    """

    def __init__(self, at: int = START, *, zone: tzinfo = UTC, auto_advance_s: float | None = None) -> None:
        self._offset_ms = at
        self._elapsed_s = 0.0
        self._zone = zone
        self._auto_advance_s = auto_advance_s
        self._timer: asyncio.TimerHandle | None = None
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = count()

    def now(self) -> Instant:
        """The wall clock, epoch milliseconds UTC."""
        return Instant(self._offset_ms + round(self._elapsed_s * 1000))

    def monotonic(self) -> float:
        """Seconds since the clock was built, as far as a test moved it."""
        return self._elapsed_s

    def zone(self) -> tzinfo:
        """The zone the test chose."""
        return self._zone

    def set_zone(self, zone: tzinfo) -> None:
        """The host moved: from now on its zone is another."""
        self._zone = zone

    @property
    def sleepers(self) -> int:
        """How many tasks sleep now."""
        return sum(not future.done() for _, _, future in self._sleepers)

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock was moved that far; zero or less lets other tasks run once."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed_s + seconds, next(self._order), future))
        self._arm()
        await future

    def advance(self, seconds: float) -> None:
        """Move on. Sleepers whose deadline is passed wake; they see the new time, not their deadline."""
        self._move_to(self._elapsed_s + seconds)

    async def run_for(self, seconds: float, *, settle: Callable[[], Awaitable[None]] | None = None) -> None:
        """Move on deadline by deadline; after each, tasks run (`settle`, by default some turns of the loop)."""
        end = self._elapsed_s + seconds
        await (settle or _settle)()
        while (deadline := self._next_deadline()) is not None and deadline <= end:
            self._move_to(deadline)
            await (settle or _settle)()
        self._move_to(end)
        await (settle or _settle)()

    def jump(self, at: int) -> None:
        """Set the wall clock, forwards or back. Nobody wakes: sleeping goes by the monotonic clock."""
        self._offset_ms = at - round(self._elapsed_s * 1000)

    def _move_to(self, elapsed_s: float) -> None:
        self._elapsed_s = max(elapsed_s, self._elapsed_s)
        while self._sleepers and self._sleepers[0][0] <= self._elapsed_s:
            future = heapq.heappop(self._sleepers)[2]
            if not future.done():
                future.set_result(None)

    def _next_deadline(self) -> float | None:
        while self._sleepers and self._sleepers[0][2].done():  # a sleeper that was cancelled
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def _arm(self) -> None:
        if self._auto_advance_s is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._auto_advance_s, self._advance_by_itself)

    def _advance_by_itself(self) -> None:
        deadline = self._next_deadline()
        if deadline is not None:
            self._move_to(deadline)
            self._arm()


async def _settle() -> None:
    for _ in range(SETTLE_TURNS):
        await asyncio.sleep(0)
