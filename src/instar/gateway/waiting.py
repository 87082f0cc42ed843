"""Awaiting what may never come: with a limit by the gateway's clock, and so that somebody else can cut it short.

Work that is given up is cancelled and gets a moment to end. Work that ignores even that is left behind with a line
in the log: a tool that will not stop must not hold a session, or the whole gateway, for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

from instar.errors import Unavailable
from instar.ports.clock import Clock

__all__ = ["end_tasks", "within"]

GRACE_S = 5.0
"""How long cancelled work may take to end, in real seconds: what it does then is out of the gateway's hands."""

T = TypeVar("T")

log = structlog.get_logger(__name__)

_abandoned: set[asyncio.Task[Any]] = set()  # kept from the garbage collector until they end, if they ever do


async def within(
    clock: Clock, seconds: float, work: Coroutine[Any, Any, T], *, stop: asyncio.Future[None] | None = None
) -> T:
    """The result of `work`. Raises `TimeoutError` after `seconds`, and `Unavailable` if it was cancelled from inside.

    When `stop` is done first, raises `asyncio.InvalidStateError`: the caller knows who stopped it, and why.
    """
    task = asyncio.ensure_future(work)
    timer = asyncio.ensure_future(clock.sleep(seconds))
    awaited: set[asyncio.Future[Any]] = {task, timer} if stop is None else {task, timer, stop}
    try:
        await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
    finally:
        timer.cancel()
        if not task.done():
            await end_tasks([task])
    if task.cancelled():
        if stop is not None and stop.done():
            raise asyncio.InvalidStateError
        if timer.done() and not timer.cancelled():
            raise TimeoutError
        raise Unavailable("The work was cancelled from inside", fix="Try again.")
    if not task.done():
        raise asyncio.InvalidStateError if stop is not None and stop.done() else TimeoutError
    return task.result()
