"""Which piece of mail a lane takes next, and how long it waits for one.

Mail is taken in the order in which it came; what was put off comes first. A piece counts as unread until the lane says
that it has dealt with it, so a lane that is in the middle of one is not idle.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator

from instar.core.model.ids import Instant
from instar.gateway.lane_mail import Mail
from instar.gateway.waiting import wait_first
from instar.ports.clock import Clock

__all__ = ["Mailbox"]

WAKE_MAX_S = 60.0
"""The longest sleep before an alarm is looked at again."""

IDLE_S = 120.0
"""An idle lane gives up its place, and the context it kept warm, after this long."""


class Mailbox:
    """The mail of one lane. True while any of it is unread. `wake_at` is when the lane wants to be woken without mail,
    None if only mail can change anything; `is_left` once nobody takes mail any more.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._mail: asyncio.Queue[Mail] = asyncio.Queue()
        self._later: deque[Mail] = deque()
        self._unread = 0
        self.wake_at: Instant | None = None
        self.is_left = False

    def __bool__(self) -> bool:
        return bool(self._unread)

    def put(self, mail: Mail) -> None:
        """One more piece, from any task."""
        self._unread += 1
        self._mail.put_nowait(mail)

    def note_read(self) -> None:
        """A piece that was taken has been dealt with."""
        self._unread -= 1

    def put_back(self, mail: Mail) -> None:
        """Take this piece again before any other; nothing of it was done."""
        self._later.appendleft(mail)

    def put_off(self, mail: Mail) -> None:
        """Take this piece later, in the order in which pieces are put off."""
        self._later.append(mail)

    def wake_no_later(self, at: Instant) -> None:
        """Wake the lane at that moment, or sooner if it wants that already."""
        self.wake_at = at if self.wake_at is None else min(at, self.wake_at)

    async def take(self, *, is_idle: bool) -> Mail | None:
        """The next piece of mail; None when a wait is over."""
        if self._later:
            return self._later.popleft()
        if self.wake_at is None and not is_idle:
            return await self._mail.get()
        # At most so long at once: the wall clock, by which the alarm is set, may be set back meanwhile.
        left_s = IDLE_S if self.wake_at is None else (self.wake_at - self._clock.now()) / 1000
        mail = await self.take_new(left_s if self.wake_at is None else min(max(0.0, left_s), WAKE_MAX_S))
        if mail is None:
            self.wake_at = None
        return mail

    async def take_new(self, wait_s: float) -> Mail | None:
        """The next piece that was not put off, None if there is none in time; one that comes just as the lane is ended
        is kept.
        """
        getter = asyncio.ensure_future(self._mail.get())
        try:
            in_time = await wait_first(getter, asyncio.ensure_future(self._clock.sleep(wait_s)))
        except asyncio.CancelledError:
            if getter.done() and not getter.cancelled():
                self._later.append(getter.result())
            raise
        return getter.result() if in_time else None

    def leave(self) -> Iterator[Mail]:
        """Every piece that nobody will take any more, in order."""
        self.is_left = True
        while not self._mail.empty():
            self._later.append(self._mail.get_nowait())
        return iter(tuple(self._later))
