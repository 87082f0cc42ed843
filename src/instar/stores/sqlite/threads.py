"""The threads of the SQLite engine: one that writes, a few that read, and the way back to the event loop.

A caller on an event loop puts its work into a queue and awaits a future. The writer takes all that waits, up to
`BATCH_MAX`, puts it into one commit, and wakes each loop once per batch, however many futures it settles there.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Final, Generic, TypeVar

from instar.stores.sqlite.commit import Outcome

__all__ = ["BATCH_MAX", "Job", "Worker"]

BATCH_MAX: Final = 256
"""Units in one commit at most: enough to make the disk's share small, few enough that nobody waits for strangers."""

Settled = tuple["asyncio.Future[object]", Outcome]
W = TypeVar("W")


@dataclass(slots=True, eq=False)
class Job(Generic[W]):
    """Work and the future that waits for it."""

    work: W
    future: asyncio.Future[object]


class Worker(Generic[W]):
    """A thread that takes jobs in batches. `serve` runs a batch and gives the outcomes in order; `rest` follows it."""

    def __init__(self, name: str, jobs: SimpleQueue[Job[W] | None], *, batch_max: int) -> None:
        self._jobs = jobs
        self._batch_max = batch_max
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._serve: Callable[[list[W]], list[Outcome]]
        self._rest: Callable[[], None]

    def start(self, serve: Callable[[list[W]], list[Outcome]], rest: Callable[[], None]) -> None:
        """Begin to take jobs."""
        self._serve, self._rest = serve, rest
        self._thread.start()

    def join(self) -> None:
        """Wait until the thread has taken the end mark (None) from the queue."""
        self._thread.join()

    def _main(self) -> None:
        while self._work_off():
            pass

    def _work_off(self) -> bool:
        """Wait for jobs and do them; whether there is more to wait for.

        A call of its own, so that what a job carried and gave is let go of before the next one comes.
        """
        first = self._jobs.get()
        if first is None:
            return False
        batch, ended = self._take(first)
        live = [job for job in batch if not job.future.cancelled()]
        if live:
            _settle(zip((job.future for job in live), self._attempt(live), strict=True))
            self._rest()
        return not ended

    def _attempt(self, jobs: list[Job[W]]) -> list[Outcome]:
        """The outcomes of jobs. Whatever goes wrong, everybody who waits is told and the thread lives on."""
        try:
            return self._serve([job.work for job in jobs])
        except BaseException as error:  # noqa: BLE001 - a thread that died here would leave its callers waiting for ever
            return [Outcome(error=error) for _ in jobs]

    def _take(self, first: Job[W]) -> tuple[list[Job[W]], bool]:
        """The job at hand and all that wait behind it; whether the end mark came."""
        batch = [first]
        while len(batch) < self._batch_max:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                return batch, False
            if job is None:
                return batch, True
            batch.append(job)
        return batch, False


def _settle(settled: Iterable[Settled]) -> None:
    """Tell the callers, waking each event loop once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Settled]] = {}
    for future, outcome in settled:
        by_loop.setdefault(future.get_loop(), []).append((future, outcome))
    for loop, share in by_loop.items():
        # A loop that was closed meanwhile has nobody left who waits; the thread goes on for the others.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_tell, share)


def _tell(settled: list[Settled]) -> None:
    """Settle futures on their own loop; one whose caller went away meanwhile is left alone."""
    for future, outcome in settled:
        if future.done():
            continue
        if outcome.error is not None:
            future.set_exception(outcome.error)
        else:
            future.set_result(outcome.value)
