"""What a client hears: events of the gateway, and what became of the connection that brings them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

from instar.client.wire import Payload

__all__ = ["ClientEvent", "EventStream", "Gap", "Lost", "Restored", "ServerEvent"]

QUEUE_MAX: Final = 10_000
"""Events that one listener may leave unread; then it is told of a gap instead of being fed for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerEvent:
    """An event of the gateway, as `docs/reference/protocol.md` describes it."""

    name: str
    payload: Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Events are missing: whoever keeps a picture of the gateway asks anew (GW-12)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The connection broke. `reason` is a short phrase; `is_last` says that nobody tries to restore it."""

    reason: str
    is_last: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """The connection is there again; subscriptions are made anew, what happened meanwhile was not told."""

    hello: Payload


ClientEvent = ServerEvent | Gap | Lost | Restored


class EventStream:
    """The events from its making on, in order: ``with client.events() as events: async for event in events``."""

    def __init__(self, close: Callable[[EventStream], None]) -> None:
        self._close = close
        self._queue: deque[ClientEvent] = deque()
        self._filled = asyncio.Event()
        self._is_over = False

    def __enter__(self) -> Self:
        """The stream itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Hear no more."""
        self._close(self)

    def put(self, event: ClientEvent) -> None:
        """Add an event; a listener that is too slow is told of a gap and begins anew."""
        if len(self._queue) >= QUEUE_MAX:
            self._queue.clear()
            self._queue.append(Gap())
        self._queue.append(event)
        self._filled.set()

    def end(self) -> None:
        """No event will follow those that are there."""
        self._is_over = True
        self._filled.set()

    def __aiter__(self) -> Self:
        """The stream itself."""
        return self

    async def __anext__(self) -> ClientEvent:
        """The next event, when it comes; the iteration ends with the client."""
        while not self._queue:
            if self._is_over:
                raise StopAsyncIteration
            self._filled.clear()
            await self._filled.wait()
        return self._queue.popleft()
