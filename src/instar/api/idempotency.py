"""Results of methods that change something, remembered for five minutes (GW-13).

The same key again gets the first result, also while the first call is still at work. A call that failed is forgotten,
so that it can be repeated. Messages do not come through here: their keys are kept by the gateway, for ever (LOSS-1).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from instar.api.shares import Shares
from instar.core.policy.rate import ShareSettings
from instar.ports.clock import Clock

__all__ = ["KEPT", "KEPT_S", "Results"]

KEPT_S: Final = 300.0
KEPT: Final = ShareSettings(each=250, all=1000)
"""Results of one caller, and of all: beyond these the oldest of the caller with the most go."""

Key = tuple[str, str, str]
"""Who, which method, which idempotency key: nobody gets another's results."""


class Results:
    """The newest results by key."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: Shares[Key, tuple[float, asyncio.Future[object]]] = Shares(KEPT, may_go=lambda kept: kept[1].done())

    async def once(self, key: Key, call: Callable[[], Awaitable[object]]) -> object:
        """The result of `call`, or of the call that came first with this key."""
        self._forget_old()
        known = self._kept.get(key)
        if known is not None:
            return await asyncio.shield(known[1])
        result: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        # Retrieved here, so that a failure nobody else waits for is not reported as lost.
        result.add_done_callback(lambda done: None if done.cancelled() else done.exception())
        self._kept.put(key[0], key, (self._clock.monotonic(), result))
        try:
            value = await call()
        except BaseException as error:
            self._kept.pop(key)
            if isinstance(error, Exception):
                result.set_exception(error)
            else:
                result.cancel()
            raise
        result.set_result(value)
        return value

    def _forget_old(self) -> None:
        oldest_kept = self._clock.monotonic() - KEPT_S
        while (oldest := self._kept.oldest()) is not None and oldest[1][0] <= oldest_kept:
            self._kept.pop(oldest[0])
