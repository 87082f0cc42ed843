"""Lines that nobody sees any more, or not yet, taken away piece by piece (STORE-6, LOSS-4).

What belongs here: the rest of a large session that was deleted, and of an import that was cut off. What does not: when
a transcript is hidden (`change`, `staging`), and what is deleted within one transaction (`transcripts`).

Theory of operation. A hidden transcript is closed for the reason `STAGED`, which every list of transcripts leaves out,
and has a session id that nobody else has; a search leaves out whatever is marked as kept out of the index. So the
transaction that deletes a large session takes no longer than one that deletes a small one: it hides what is large. Its
words in the index and its lines go afterwards, in the background and in transactions between which everybody else
writes; the row goes with the last line. Where the process dies in between, the next start goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import structlog

from instar.core.model.ids import SessionId
from instar.errors import StoreError
from instar.ports.clock import Clock
from instar.stores.search import list_kept_out, unindex_kept_out
from instar.stores.transaction import Engine, Transaction
from instar.stores.transcripts import STAGED, find_transcript

__all__ = ["Clearing", "clear_away", "clear_in_background"]

_DROP_ENTRIES: Final = 500
"""Lines taken away in one transaction; what is deleted is overwritten, so it takes as long as writing."""

_REST_S: Final = 0.005
_REST_SHARE: Final = 2
"""Rest between two pieces in the background: at least so long, and twice as long as the piece took."""

_RETRY_S: Final = 5.0
"""Rest after the store refused."""

log = structlog.get_logger(__name__)


class Clearing:
    """What is still to be taken away. One object for one engine.

    It goes at once, for whoever waits for it; but where somebody is at work in the background, it goes there.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._noted: dict[SessionId, None] = {}
        self._wake: asyncio.Event | None = None

    async def clear(self, session_ids: Iterable[SessionId]) -> None:
        """Take transcripts away as far as they are hidden, now or in the background; what fails waits for a start."""
        self._noted.update(dict.fromkeys(session_ids))
        if self._wake is not None:
            self._wake.set()
            return
        try:
            while await self._step():
                pass
        except StoreError as error:
            log.warning("lines_not_cleared", error=str(error))
            self._noted.clear()

    async def recover(self) -> int:
        """Take up what was cut off: imports at once, since none runs at a start; how many transcripts there are."""
        left, kept = await self._engine.read(_list_leftovers)
        cut = [session_id for session_id in left if not session_id.startswith("removed:")]
        await clear_away(self._engine, cut)
        await self.clear([*(session_id for session_id in left if session_id not in cut), *kept])
        return len(left)

    async def run(self, clock: Clock) -> None:
        """Work in the background for ever."""
        self._wake = wake = asyncio.Event()
        wake.set()
        try:
            while True:
                await wake.wait()
                wake.clear()
                await self._work_off(clock)
        finally:
            self._wake = None

    async def _work_off(self, clock: Clock) -> None:
        while True:
            began = clock.monotonic()
            try:
                if not await self._step():
                    return
                await clock.sleep(max(_REST_S, _REST_SHARE * (clock.monotonic() - began)))
            except StoreError as error:
                log.warning("lines_not_cleared", error=str(error))
                await clock.sleep(_RETRY_S)
            except Exception:
                # A job boundary (style, section 6): a defect in one transcript must not keep the others.
                log.exception("clearing_failed")
                self._noted.pop(next(iter(self._noted)), None)

    async def _step(self) -> bool:
        """One transaction's worth of work; False when nothing is noted."""
        session_id = next(iter(self._noted), None)
        if session_id is None:
            return False
        if not await self._engine.write(partial(_drop_some, session_id=session_id), purpose="freeing"):
            self._noted.pop(session_id, None)
        return True


@asynccontextmanager
async def clear_in_background(clearing: Clearing, *, clock: Clock) -> AsyncIterator[None]:
    """Let deletions return while lines still go, as long as the block runs."""
    task = asyncio.create_task(clearing.run(clock), name="clearing")
    await asyncio.sleep(0)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def clear_away(engine: Engine, session_ids: Iterable[SessionId]) -> None:
    """Take hidden transcripts away, those of them that are still there. Raises `StoreError`; the rest is there then."""
    for session_id in session_ids:
        while await engine.write(partial(_drop_some, session_id=session_id), purpose="freeing"):
            pass


def _list_leftovers(tx: Transaction) -> tuple[list[SessionId], list[SessionId]]:
    """Hidden transcripts, and those kept out of the index that still have words in it."""
    return [SessionId(row[0]) for row in tx.all("list_staged", {})], list_kept_out(tx)


def _drop_some(tx: Transaction, *, session_id: SessionId) -> bool:
    """Take some words or lines of a hidden transcript away, and the row when none is left; False when all was done."""
    transcript = find_transcript(tx, session_id)
    if transcript is None:
        return False
    if unindex_kept_out(tx, transcript.id):
        return True
    if transcript.head.close_reason != STAGED:
        return False
    if not tx.run("delete_some_entries", {"transcript": transcript.id, "limit": _DROP_ENTRIES}):
        tx.run("delete_search_mark", {"transcript": transcript.id})
        tx.run("delete_transcript", {"transcript": transcript.id})
    return True
