"""An event loop without threads: what would go to one is done at once, so that everything ends in the same order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

__all__ = ["InlineLoop"]

T = TypeVar("T")


class InlineLoop(asyncio.SelectorEventLoop):
    """An event loop for stories that are drawn from a seed: threads end in an order that nobody can repeat."""

    def run_in_executor(self, executor: Executor | None, func: Callable[..., T], *args: object) -> asyncio.Future[T]:
        """Do at once, in this thread, what would go to another."""
        del executor
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - whatever the work raises belongs to its caller, who gets it
            future.set_exception(error)
        return future
