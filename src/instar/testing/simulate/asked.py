"""Who waits for an answer of one life of the gateway: when it has stopped in good order, nobody may be left (LOSS-2).

Whatever a gateway was asked before its stop is answered within the stop, or refused with the request to try again. Only
an erasure that has begun to take things out is neither broken off nor waited for: it goes on for as long as its process
lives, and the next start takes it up. What waits behind it (another erasure, whoever stands at the door of a session
that it keeps shut) goes with the process, and is asked again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

__all__ = ["MESSAGE", "Asked"]

MESSAGE = "message"
"""What somebody asks who hands over a message; others are named by their operation."""

ANSWER_TURNS = 200
"""Turns of the loop in which an answer that was given reaches whoever waits for it; no time passes in them."""

_BEHIND_ERASURE = frozenset({MESSAGE, "erase", "delete", "delete-keep", "clean"})
"""What may have to wait until an erasure has ended: each passes or shuts the door of a session, or erases."""


class Asked:
    """What one life was asked and has not answered."""

    def __init__(self) -> None:
        self._waiting: dict[object, str] = {}

    @contextlib.contextmanager
    def noted(self, what: str) -> Iterator[None]:
        """While somebody waits for the answer to `what`."""
        one = object()
        self._waiting[one] = what
        try:
            yield
        finally:
            del self._waiting[one]

    async def find_left(self, *, erasing: bool) -> tuple[str, ...]:
        """What is left without an answer by a life that has stopped; `erasing` while an erasure takes things out."""
        for _ in range(ANSWER_TURNS):
            if not self._left(erasing=erasing):
                break
            await asyncio.sleep(0)
        return self._left(erasing=erasing)

    def _left(self, *, erasing: bool) -> tuple[str, ...]:
        return tuple(what for what in self._waiting.values() if not (erasing and what in _BEHIND_ERASURE))
