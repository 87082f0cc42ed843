"""One compaction of a session at a time, where turns run side by side (QUEUE-9, COMPACT-4).

Runs beside others find their prompts too large at the same moment. The first asks for the summary; whoever comes
meanwhile waits for what came of it. Nothing is locked: only compactions wait for each other, and each may be stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from instar.core.context.outcome import Compacted
from instar.gateway.outside import Outside
from instar.gateway.warm import WarmContext

__all__ = ["compact_once"]


async def compact_once(
    whole: WarmContext, outside: Outside, compact: Callable[[], Awaitable[Compacted]]
) -> tuple[Compacted, bool]:
    """What came of a compaction of the session behind `whole`, and whether it was this caller's own.

    One that was stopped is nobody's answer: the next of those who waited makes it. Raises `Stopped`.
    """
    while (other := whole.compacting) is not None:
        done = await outside.wait(_hear(other))
        if done is not None:
            return done, False
    mine: asyncio.Future[Compacted | None] = asyncio.get_running_loop().create_future()
    whole.compacting = mine
    outcome: Compacted | None = None
    try:
        outcome = await compact()
    finally:
        whole.compacting = None
        mine.set_result(outcome)
    return outcome, True


async def _hear(other: asyncio.Future[Compacted | None]) -> Compacted | None:
    await asyncio.wait([other])
    return other.result()
