"""The doors of sessions: a session that is being deleted takes no message until it is gone, and a person who is being
erased is not heard until that is through. What clients ask for in a session passes the same doors.

A message is acknowledged once it is committed, and a deletion ends what waits in the session's lane. Between the two
lies a moment in which a message is committed and its lane has not heard of it. A deletion in that moment would forget
a message that its sender believes to be safe (LOSS-2). So a deletion shuts the door, lets those in who stand in it, and
whoever comes later waits outside: they begin the session anew (STORE-11).

An erasure takes out everything of a person, in sessions that nobody knew of when it began, too. So it keeps the person
out of every session: what came before goes with the rest, and what comes later is stored once the erasure is through,
as the first words of somebody unknown (LOSS-1, LEAK-11). A client that creates, patches, or brings back a session would
write its key, which may name the person, or what it had read before: it waits as well, and finds what is left then. So
does whatever else would name the person: an approval, credentials, a platform's list of a group's members.

A copy of everything, a backup for example, is made before an erasure or after it: each holds `one_at_a_time`.

What a lane does itself passes no door: a lane that is emptied while its door is shut would wait for itself. One that
reads another session looks in where the door is open, and goes on without where it is not.

Limit: whoever has waited for `DOOR_WAIT_S` is asked to come again; nothing of what they brought is stored.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from instar.core.model.change import Submission
from instar.core.model.ids import SessionKey
from instar.errors import Unavailable
from instar.gateway.waiting import within
from instar.ports.clock import Clock

__all__ = ["DOOR_WAIT_S", "Doors", "Fence", "Visit"]

DOOR_WAIT_S: Final = 20.0
"""How long anybody waits at a door that is shut; a program that posts a message gives up after about half a minute."""

_AGAIN_MS: Final = 5_000
_LATER_MS: Final = 60_000
"""When to come again: while a door is shut, and while nobody works on what keeps somebody out."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Visit:
    """A message at the door, or what a client asks for: the session it goes to, None for none, and whose that is to be
    if it begins there. `source` is another session that is read for it, or named by it, `people` whom it names.
    """

    key: SessionKey | None
    owner: str | None = None
    source: SessionKey | None = None
    submission: Submission | None = None
    people: Sequence[str] = ()
    refusal: str = "The session was not changed"

    @property
    def keys(self) -> tuple[SessionKey, ...]:
        """Every session whose door it has to pass."""
        return tuple(key for key in (self.key, self.source) if key is not None)


class Fence:
    """Keeps out what is of one person. While it `is_left` alone, whoever comes is told at once and waits not."""

    def __init__(self, is_theirs: Callable[[Visit], bool]) -> None:
        self.is_theirs = is_theirs
        self.is_left = False
        self.changed = asyncio.Event()

    def leave(self) -> None:
        """What it stands for was cut, and is gone on with some time later."""
        self.is_left = True
        self.changed.set()

    def take_up(self) -> None:
        """What it stands for goes on."""
        self.is_left = False
        self.changed = asyncio.Event()


class Doors:
    """The doors of all sessions of one gateway. Open ones cost nothing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._shut: dict[SessionKey, asyncio.Event] = {}
        self._fences: list[Fence] = []
        self._inside: set[Visit] = set()
        self._left = asyncio.Event()
        self.one_at_a_time: Final = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def passing(self, visit: Visit) -> AsyncIterator[None]:
        """While a message is committed and handed to its lane, or a session is changed for a client.

        Raises `Unavailable` when it has to wait too long.
        """
        if self._find_shut(visit) is not None:
            await self._wait_open(visit)
        self._inside.add(visit)
        try:
            yield
        finally:
            self._inside.remove(visit)
            self._left.set()

    @contextlib.contextmanager
    def looking_in(self, visit: Visit) -> Iterator[bool]:
        """While a lane reads another session for its own, and writes what it has read; False where it may not.

        A lane does not wait for a door: whoever has shut it may wait for the lane.
        """
        try:
            is_open = self._find_shut(visit) is None
        except Unavailable:
            is_open = False
        if is_open:
            self._inside.add(visit)
        try:
            yield is_open
        finally:
            self._inside.discard(visit)
            self._left.set()

    @contextlib.asynccontextmanager
    async def shut(self, key: SessionKey) -> AsyncIterator[None]:
        """While the session is deleted; begins when nobody stands in the door any more."""
        while (shut := self._shut.get(key)) is not None:
            await shut.wait()
        opened = self._shut[key] = asyncio.Event()
        try:
            await self._wait_left(lambda visit: key in visit.keys)
            yield
        finally:
            del self._shut[key]
            opened.set()

    async def keep_out(self, is_theirs: Callable[[Visit], bool]) -> Fence:
        """Let nothing of a person in any more, until the fence is lifted; what stands in a door is in then."""
        fence = Fence(is_theirs)
        self._fences.append(fence)
        try:
            await self._wait_left(is_theirs)
        except BaseException:
            self.lift(fence)
            raise
        return fence

    def lift(self, fence: Fence) -> None:
        """Let them in again."""
        self._fences.remove(fence)
        fence.changed.set()

    async def _wait_left(self, is_meant: Callable[[Visit], bool]) -> None:
        while any(is_meant(visit) for visit in self._inside):
            self._left.clear()
            await self._left.wait()

    def _find_shut(self, visit: Visit) -> asyncio.Event | None:
        """What a visit has to wait for; None where it may come in. Raises `Unavailable` where waiting is no use."""
        for fence in self._fences:
            if fence.is_theirs(visit):
                if fence.is_left:
                    raise _not_yet(visit)
                return fence.changed
        return next((self._shut[key] for key in visit.keys if key in self._shut), None)

    async def _wait_open(self, visit: Visit) -> None:
        deadline = self._clock.monotonic() + DOOR_WAIT_S
        # Looked at again after each wait: another door may have been shut since.
        while (opened := self._find_shut(visit)) is not None:
            try:
                await within(self._clock, max(0.0, deadline - self._clock.monotonic()), opened.wait())
            except TimeoutError:
                raise _not_now(visit) from None


def _not_now(visit: Visit) -> Unavailable:
    why = "what is kept of its session or of its person is being deleted at this moment"
    return _not_done(visit, why=why, again="in a moment.", retry_after_ms=_AGAIN_MS)


def _not_yet(visit: Visit) -> Unavailable:
    why = "its person is being erased, and that could not be finished yet"
    again = "later. The gateway goes on by itself; its log says what keeps it (erasure_not_finished)."
    return _not_done(visit, why=why, again=again, retry_after_ms=_LATER_MS)


def _not_done(visit: Visit, *, why: str, again: str, retry_after_ms: int) -> Unavailable:
    is_message = visit.submission is not None
    return Unavailable(
        "The message was not stored" if is_message else visit.refusal,
        why=why,
        fix=f"{'Send it again' if is_message else 'Try again'} {again}",
        retry_after_ms=retry_after_ms,
    )
