"""Engines that die in the middle of something."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from instar.stores.transaction import Engine, Purpose, Transaction

__all__ = ["Cut", "DyingEngine"]

T = TypeVar("T")


class Cut(Exception):
    """The process is gone."""


class DyingEngine:
    """An engine whose process dies at write number `at`, before it is done; `seen` is called after each other one."""

    def __init__(
        self, engine: Engine, *, at: int | None = None, seen: Callable[[], Awaitable[object]] | None = None
    ) -> None:
        self._engine = engine
        self._at = at
        self._seen = seen
        self.writes = 0

    def __getattr__(self, name: str) -> Any:  # Any: whatever else the engine has
        return getattr(self._engine, name)

    async def write(self, unit: Callable[[Transaction], T], *, purpose: Purpose = "owed") -> T:
        """Write, or die."""
        if self.writes == self._at:
            raise Cut
        self.writes += 1
        value = await self._engine.write(unit, purpose=purpose)
        if self._seen is not None:
            await self._seen()
        return value
