"""Time that costs nothing: an event loop that jumps to its next deadline as soon as no task can go on.

There is no real input or output in a simulation, so a loop whose ready queue is empty has only timers left. Where an
ordinary loop would now wait for the first of them, this one moves its own time there. Every sleep, timeout and
`wait_for` runs by that time, those of the standard library too, and in the same order on every machine.

The player of a story says how far time may go: `pass_time` returns when that much has passed and no task can go on.
"""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import Mapping
from datetime import UTC, tzinfo

from instar.core.model.ids import Instant
from instar.errors import InvariantBroken
from instar.testing.clock import START
from instar.testing.inline import InlineLoop

__all__ = ["Stuck", "VirtualClock", "VirtualLoop"]


BUSY_MAX = 100_000
"""Turns of the loop without a rest, after which something runs in circles; a busy second takes some hundreds."""


class Stuck(InvariantBroken):
    """Nothing can ever happen again and the player still waits, or something runs in circles and takes no time."""


class _Nothing(selectors.BaseSelector):
    """Stands where a loop waits for files and sockets: there are none, so it tells the loop that it is idle."""

    def __init__(self) -> None:
        self.loop: VirtualLoop | None = None
        self._busy = 0
        self._keys: dict[object, selectors.SelectorKey] = {}

    def register(self, fileobj: object, events: int, data: object = None) -> selectors.SelectorKey:
        """Keep the loop's own pipe; nobody ever writes to it."""
        key = selectors.SelectorKey(fileobj, 0, events, data)  # type: ignore[arg-type]  # never polled
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: object) -> selectors.SelectorKey:
        """Forget it."""
        return self._keys.pop(fileobj)

    def get_map(self) -> Mapping[object, selectors.SelectorKey]:  # type: ignore[override]  # the same
        """What was registered."""
        return self._keys

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """No file is ever ready; with nothing else to do time goes on."""
        if self.loop is None:
            return []
        if timeout is None or timeout > 0:
            self._busy = 0
            self.loop.move_on(timeout)
        self._busy += 1
        if self._busy > BUSY_MAX:
            raise Stuck("work takes time", why="something runs in circles")
        return []


class VirtualLoop(InlineLoop):
    """An event loop with a time of its own, which begins at 0 and counts seconds; it has no threads."""

    def __init__(self) -> None:
        self._now = 0.0
        self._until = 0.0
        self._player: asyncio.Future[None] | None = None
        selector = _Nothing()
        super().__init__(selector)
        # A dead gateway's tasks end unheard of; what the living ones fail with is asked for, or logged.
        self.set_exception_handler(lambda _loop, _context: None)
        selector.loop = self

    @property
    def elapsed(self) -> float:
        """Seconds since the loop was made."""
        return self._now

    def time(self) -> float:
        """The same, by the name that the standard library asks for."""
        return self._now

    async def pass_time(self, seconds: float) -> None:
        """Let so much time pass; with 0 only what can happen now happens."""
        self._until = self._now + seconds
        self._player = self.create_future()
        await self._player

    def move_on(self, wait_s: float | None) -> None:
        """No task can go on: move to the next deadline, or give the word back to the player."""
        due = math.inf if wait_s is None else max(self._now + wait_s, math.nextafter(self._now, math.inf))
        if self._player is None or self._player.done():
            if due == math.inf:
                raise Stuck("a story goes on", why="nothing can happen any more, and its player still waits")
            self._now = due
        elif due <= self._until:
            self._now = due
        else:
            self._now = self._until
            self._player.set_result(None)


class VirtualClock:
    """Keeps `instar.ports.clock.Clock` on a `VirtualLoop`; the wall clock can be set, and the zone changed."""

    def __init__(self, loop: VirtualLoop, *, at: int = START, zone: tzinfo = UTC) -> None:
        self._loop = loop
        self._offset_ms = at
        self._zone = zone

    def now(self) -> Instant:
        """The wall clock, epoch milliseconds UTC."""
        return Instant(self._offset_ms + round(self._loop.elapsed * 1000))

    def monotonic(self) -> float:
        """Seconds since the loop began."""
        return self._loop.elapsed

    def zone(self) -> tzinfo:
        """The host's zone."""
        return self._zone

    async def sleep(self, seconds: float) -> None:
        """Wait that long in the loop's time."""
        await asyncio.sleep(max(seconds, 0.0))

    def jump(self, seconds: float) -> None:
        """Set the wall clock forwards or back, as an administrator or a time server would."""
        self._offset_ms += round(seconds * 1000)

    def set_zone(self, zone: tzinfo) -> None:
        """The host moved."""
        self._zone = zone
