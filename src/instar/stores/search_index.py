"""The full-text index on its way behind the transcripts, and level whenever somebody searches (SEARCH-4, SEARCH-6).

Theory of operation. Each commit tells which transcripts it touched; they are noted, and brought into the index a
little later, many at once: a message costs a twentieth of what it would cost within its own commit. A search first
catches up with what is noted, so new messages are found at once. After a start every transcript is compared with its
mark, the newest first; until that is through, and until the backlog of an import is worked off, an answer says that
old messages may be missing.

Limits: a search does at most `CATCH_UP_STEPS` steps; what is left is done in the background.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import structlog

from instar.core.model.ids import SessionId, SessionKey
from instar.errors import StoreError
from instar.ports.clock import Clock
from instar.stores.search import (
    follow_transcript,
    is_index_current,
    list_unindexed,
    renew_index,
    unindex_slice,
)
from instar.stores.transaction import Engine, Touched, Transaction
from instar.stores.transcripts import find_transcript

__all__ = ["CATCH_UP_STEPS", "SearchIndex", "follow_index"]

CATCH_UP_STEPS: Final = 16
"""Steps that one search may wait for: about a tenth of a second."""

_STEP_TRANSCRIPTS: Final = 32
"""Transcripts followed in one transaction; most have one or two new messages."""

_SCAN_ROWS: Final = 500
"""Transcripts compared with their marks at once."""

_QUIET_S: Final = 0.5
_LATEST_S: Final = 5.0
"""The background goes on once nothing was written for so long, at the latest after so long: turns come first, and a
search does not wait for it.
"""

_REST_S: Final = 0.02
_BUSY_SHARE: Final = 10
"""Rest between two steps of a backlog; while others write, ten times as long as the step took."""

_RETRY_S: Final = 5.0
"""Rest after the store refused."""

log = structlog.get_logger(__name__)


class SearchIndex:
    """What is still to be indexed. One object for one engine. `heard` counts the commits that brought something new.

    It is off for a store whose words are sealed: an index of words would be the words.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.heard = 0
        self._behind: dict[SessionId, None] = {}
        self._guard = threading.Lock()
        self._one_at_a_time = asyncio.Lock()
        self._is_current = False
        self._scan_from: int | None = None
        self._is_scanned = False
        self._wake: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        # An engine that says nothing of seals has none.
        self.is_off = getattr(engine, "seals", None) is not None
        if not self.is_off:
            engine.on_commit(self._hear)

    @property
    def is_level(self) -> bool:
        """Whether nothing is noted that is not indexed."""
        return self._is_scanned and not self._behind

    def restart(self) -> None:
        """Compare every transcript with its mark again: another process may have written meanwhile."""
        self._is_current = self._is_scanned = False
        self._scan_from = None

    async def catch_up(self, *, steps: int = CATCH_UP_STEPS) -> bool:
        """Index what is noted, in at most so many steps; whether nothing is left. Raises `StoreError`."""
        if self.is_off:
            return True
        async with self._one_at_a_time:
            for _ in range(steps):
                if await self._step():
                    return True
            return False

    async def forget(self, key: SessionKey) -> None:
        """Take a large session out of the index in slices, so that its deletion takes no long time at once."""
        while await self._engine.write(partial(unindex_slice, key=key), purpose="freeing"):
            pass

    async def wait(self) -> None:
        """Return as soon as there is something to do."""
        if self._wake is None:
            self._wake = asyncio.get_running_loop(), asyncio.Event()
        event = self._wake[1]
        event.clear()
        if not self._behind:
            await event.wait()

    def _hear(self, touched: Touched) -> None:
        """Note what a commit touched; in the thread that committed."""
        if not touched.transcripts:
            return
        with self._guard:
            self.heard += 1
            self._behind.update(dict.fromkeys(touched.transcripts))
        if self._wake is not None and not self._wake[1].is_set():
            loop, event = self._wake
            loop.call_soon_threadsafe(event.set)

    async def _step(self) -> bool:
        """One transaction's worth of work; True when there was none."""
        if not self._is_current:
            if not await self._engine.read(is_index_current):
                await self._engine.write(renew_index, purpose="new")
            self._is_current = True
        some = self._take()
        if some:
            try:
                left = await self._engine.write(partial(_follow, session_ids=some), purpose="new")
            except BaseException:
                self._put_back(some)
                raise
            self._put_back(left)
            return False
        if self._is_scanned:
            return True
        found, self._scan_from = await self._engine.read(
            partial(list_unindexed, before=self._scan_from, limit=_SCAN_ROWS)
        )
        self._is_scanned = self._scan_from is None
        self._put_back(reversed(found))
        return False

    def _take(self) -> list[SessionId]:
        """The transcripts that were touched last, taken off the note."""
        with self._guard:
            return [self._behind.popitem()[0] for _ in range(min(_STEP_TRANSCRIPTS, len(self._behind)))]

    def _put_back(self, session_ids: Iterable[SessionId]) -> None:
        with self._guard:
            for session_id in session_ids:
                self._behind.setdefault(session_id)


def _follow(tx: Transaction, *, session_ids: Iterable[SessionId]) -> list[SessionId]:
    """Follow transcripts, one slice of each at most; those that are not level yet."""
    left = []
    for session_id in session_ids:
        transcript = find_transcript(tx, session_id)
        if transcript is not None and not follow_transcript(tx, transcript):
            left.append(session_id)
    return left


@asynccontextmanager
async def follow_index(index: SearchIndex, *, clock: Clock) -> AsyncIterator[None]:
    """Keep the index level in the background while the block runs."""
    task = asyncio.create_task(_follow_forever(index, clock), name="search-index")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _follow_forever(index: SearchIndex, clock: Clock) -> None:
    while True:
        try:
            await _work_off(index, clock)
            await index.wait()
            await _let_it_settle(index, clock)
        except StoreError as error:
            log.warning("search_index_late", error=str(error))
            await clock.sleep(_RETRY_S)
        except Exception:
            # A job boundary (style, section 6): a defect in one message must not end all indexing.
            log.exception("search_index_failed")
            await clock.sleep(_RETRY_S)


async def _work_off(index: SearchIndex, clock: Clock) -> None:
    """Index what is noted, with rests, so that turns come first."""
    while True:
        began, heard = clock.monotonic(), index.heard
        if await index.catch_up(steps=1):
            return
        took_s = clock.monotonic() - began
        await clock.sleep(_REST_S if index.heard == heard else max(_REST_S, _BUSY_SHARE * took_s))


async def _let_it_settle(index: SearchIndex, clock: Clock) -> None:
    """Wait for a pause in what is written, but not for ever."""
    waited_s, seen = 0.0, -1
    while waited_s < _LATEST_S and index.heard != seen:
        seen = index.heard
        await clock.sleep(_QUIET_S)
        waited_s += _QUIET_S
