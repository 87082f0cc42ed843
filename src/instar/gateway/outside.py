"""Awaiting the outside world so that somebody else can cut it short.

Only models and tools are awaited through here, never the store: a commit that has begun is finished or rolled back
(style, section 8).
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["Outside", "Stopped"]

T = TypeVar("T")


class Stopped(Exception):
    """Somebody stopped the turn; a signal between `Outside` and the turn, not an error."""


class Outside:
    """One await at a time; `stop` ends it, and every later one at once."""

    def __init__(self) -> None:
        self._cause: str | None = None
        self._awaited: asyncio.Future[Any] | None = None  # Any: whatever the outside world gives back

    @property
    def cause(self) -> str | None:
        """Why it was stopped; None while nobody has."""
        return self._cause

    def stop(self, cause: str) -> None:
        """Cut what is awaited now. The first cause counts."""
        self._cause = self._cause or cause
        if self._awaited is not None:
            self._awaited.cancel()

    async def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`; raises `Stopped` when somebody stops it, and passes on a cancellation from above."""
        if self._cause is not None:
            work.close()
            raise Stopped
        awaited: asyncio.Future[T] = asyncio.ensure_future(work)
        self._awaited = awaited
        try:
            return await awaited
        except asyncio.CancelledError:
            if self._cause is None:
                awaited.cancel()
                raise
            raise Stopped from None
        finally:
            self._awaited = None
