"""The runs under way in a lane, and when each of them may begin (QUEUE-2, QUEUE-9).

A run waits for one of the places that all sessions share, and first for what came earlier in its own session: a session
must not start over under the feet of a run that came later and was faster.

A run that was stopped needs no place, and must not overtake either. It begins right after the earlier ones that were
stopped with it, since they need no place too. Where an earlier one goes on waiting (for a place, for notes that are
written first), whoever stops a later one alone does not wait for that: it ends without having begun, as a message that
waits does (QUEUE-16).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from instar.core.model.ids import InboundId
from instar.gateway.lane_ports import LaneWork
from instar.gateway.waiting import wait_first

__all__ = ["Running"]


def _new_future() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True)
class Running:
    """Work under way. `earlier` are the runs that it must not overtake; `told_of` the messages that fell to a full
    queue, which it tells the agent of; `begun` is done once its begin is written, or it has ended.
    """

    work: LaneWork
    earlier: tuple[Running, ...] = ()
    told_of: tuple[InboundId, ...] = ()
    begun: asyncio.Future[None] = field(default_factory=_new_future)
    is_stopped: bool = False
    task: asyncio.Task[None] | None = None
    _stopping: asyncio.Future[None] = field(default_factory=_new_future)

    def stop(self, cause: str) -> None:
        """Tell it to end; it need not wait for a place first."""
        self.work.stop(cause)
        self.is_stopped = True
        if not self._stopping.done():
            self._stopping.set_result(None)

    def confirm_begun(self) -> None:
        """Its begin is written, or it has ended: those that wait for it may begin."""
        self.earlier = ()
        if not self.begun.done():
            self.begun.set_result(None)

    async def take_place(self, slots: asyncio.Semaphore) -> bool:
        """Whether it has one of the places now, after what came earlier; False once it was stopped, and needs none."""
        if self.is_stopped:
            return False
        return await wait_first(asyncio.ensure_future(self._wait_place(slots)), self._stopping)

    async def may_begin(self) -> bool:
        """Whether it may begin without a place, once the earlier ones that were stopped too have; False where another
        one goes on waiting.
        """
        ahead = [one for one in self.earlier if not one.begun.done()]
        if not all(one.is_stopped for one in ahead):
            return False
        if ahead:
            await asyncio.wait([one.begun for one in ahead])
        return True

    async def _wait_place(self, slots: asyncio.Semaphore) -> None:
        if self.earlier:
            await asyncio.wait([one.begun for one in self.earlier])
        await slots.acquire()
