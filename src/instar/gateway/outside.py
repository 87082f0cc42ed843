"""Awaiting the outside world so that somebody else can cut it short.

Only models and tools are awaited through here, never the store: a commit that has begun is finished or rolled back
(style, section 8).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, TypeVar

from instar.errors import ModelError
from instar.gateway.waiting import take_result, wait_first
from instar.ports.clock import Clock
from instar.ports.runner import Finished, ModelRequest, Runner

__all__ = ["Outside", "Stopped", "take_answer"]

T = TypeVar("T")


class Stopped(Exception):
    """Somebody stopped the turn; a signal between `Outside` and the turn, not an error."""


class Outside:
    """One await at a time; `stop` ends it, and every later one at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._cause: str | None = None
        self._stopping: asyncio.Future[None] | None = None

    @property
    def cause(self) -> str | None:
        """Why it was stopped; None while nobody has."""
        return self._cause

    def stop(self, cause: str) -> None:
        """Cut what is awaited now. The first cause counts."""
        self._cause = self._cause or cause
        if self._stopping is not None and not self._stopping.done():
            self._stopping.set_result(None)

    async def wait(self, work: Coroutine[Any, Any, T], *, timeout_s: float | None = None) -> T:
        """The result of `work`. Raises `Stopped` when somebody stops it and `TimeoutError` after `timeout_s`.

        `Any`: a coroutine is only awaited here.
        """
        if self._cause is not None:
            work.close()
            raise Stopped
        self._stopping = asyncio.get_running_loop().create_future()
        others: list[asyncio.Future[None]] = [self._stopping]
        if timeout_s is not None:
            others.append(asyncio.ensure_future(self._clock.sleep(timeout_s)))
        task = asyncio.ensure_future(work)
        try:
            if await wait_first(task, *others):
                return take_result(task)
        finally:
            self._stopping = None
        if self._cause is not None:
            raise Stopped
        raise TimeoutError


async def take_answer(runner: Runner, request: ModelRequest) -> Finished:
    """The answer to a request whose words nobody is shown while they come. Raises `ModelError`."""
    async with contextlib.aclosing(runner.run(request)) as events:
        async for event in events:
            if isinstance(event, Finished):
                return event
    raise ModelError("The model ended without an answer", provider=request.model.provider, model=request.model.id)
