"""The doors of sessions: a session that is being deleted takes no message until it is gone.

A message is acknowledged once it is committed, and a deletion ends what waits in the session's lane. Between the two
lies a moment in which a message is committed and its lane has not heard of it. A deletion in that moment would forget
a message that its sender believes to be safe (LOSS-2). So a deletion shuts the door, lets those in who stand in it, and
whoever comes later waits outside: they begin the session anew (STORE-11).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

from instar.core.model.ids import SessionKey

__all__ = ["Doors"]


class Doors:
    """The doors of all sessions of one gateway. Open ones cost nothing."""

    def __init__(self) -> None:
        self._shut: dict[SessionKey, asyncio.Event] = {}
        self._inside: Counter[SessionKey] = Counter()
        self._left: dict[SessionKey, asyncio.Event] = {}

    @contextlib.asynccontextmanager
    async def passing(self, key: SessionKey) -> AsyncIterator[None]:
        """While a message of the session is committed and handed to its lane."""
        while (shut := self._shut.get(key)) is not None:
            await shut.wait()
        self._inside[key] += 1
        try:
            yield
        finally:
            self._inside[key] -= 1
            if not self._inside[key]:
                del self._inside[key]
                left = self._left.pop(key, None)
                if left is not None:
                    left.set()

    @contextlib.asynccontextmanager
    async def shut(self, key: SessionKey) -> AsyncIterator[None]:
        """While the session is deleted; begins when nobody stands in the door any more."""
        while (shut := self._shut.get(key)) is not None:
            await shut.wait()
        opened = self._shut[key] = asyncio.Event()
        try:
            if self._inside[key]:
                await self._left.setdefault(key, asyncio.Event()).wait()
            yield
        finally:
            del self._shut[key]
            opened.set()
