"""Awaiting what may never come: with a limit by the gateway's clock.

Work that is given up is cancelled and gets a moment to end. Work that ignores even that is left behind with a line
in the log: a tool that will not stop must not hold a session, or the whole gateway, for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

import structlog

from instar.errors import Unavailable
from instar.ports.clock import Clock

__all__ = ["end_tasks", "take_result", "wait_first", "within"]

GRACE_S = 5.0
"""How long cancelled work may take to end, in real seconds: what it does then is out of the gateway's hands."""

T = TypeVar("T")

log = structlog.get_logger(__name__)

_left_behind: set[asyncio.Task[Any]] = set()
"""Work that would not end, kept from the garbage collector. `Any`: its result is of no use to anybody."""


async def within(clock: Clock, seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`. Raises `TimeoutError` after so many seconds, and whatever the work raises."""
    task = asyncio.ensure_future(work)
    if not await wait_first(task, asyncio.ensure_future(clock.sleep(seconds))):
        raise TimeoutError
    return take_result(task)


async def wait_first(task: asyncio.Task[T], *others: asyncio.Future[Any]) -> bool:
    """Wait until `task` or one of the others is done; whether it was the task. All others are ended, whatever happens.

    `Any`: the others only say that it is time.
    """
    try:
        await asyncio.wait({task, *others}, return_when=asyncio.FIRST_COMPLETED)
        return task.done()
    finally:
        for other in others:
            other.cancel()
        if not task.done():
            await end_tasks([task])


def take_result(task: asyncio.Task[T]) -> T:
    """The result of a task that is done. One that was cancelled from inside raises `Unavailable`.

    As a `CancelledError` it would look to the caller as if the caller itself had been cancelled.
    """
    if task.cancelled():
        raise Unavailable("The work was broken off by itself", fix="Try again.")
    return task.result()


async def end_tasks(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and give them a moment to end; what they raise then is of no use to anybody (`Any`)."""
    ending = {task for task in tasks if not task.done()}
    for task in ending:
        task.cancel()
    if not ending:
        return
    done, stubborn = await asyncio.wait(ending, timeout=GRACE_S)
    for task in done:
        if not task.cancelled():
            task.exception()
    for task in stubborn:
        log.error("work_left_behind", task=task.get_name())
        _left_behind.add(task)
        task.add_done_callback(_left_behind.discard)
