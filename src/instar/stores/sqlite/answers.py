"""Answers to questions, each on a snapshot of its own: in a reader's thread, or at once where it was asked.

A short question takes less time than the way to a thread and back, which wakes two idle cores. So it is first tried on
the caller's own thread, for as long as nobody there would notice. SQLite asks in the middle of its work whether that
time is over; a question that takes longer (many rows, a cold disk) or that meets a lock is given to a reader's thread
after all, and asked there from its beginning (`docs/decisions/0026-short-questions-at-once.md`).
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import apsw

from instar.errors import StoreUnreadable
from instar.stores.sqlite.commit import Outcome
from instar.stores.sqlite.connection import SqliteTransaction, explain_error
from instar.stores.transaction import Transaction

__all__ = ["SHORT_S", "Question", "ShortAnswers", "Snapshots"]

Question = Callable[[Transaction], object]

SHORT_S: Final = 0.002
"""How long a question may hold up the event loop: about as long as the other steps of one request do."""

_STEPS: Final = 1000
"""Steps of SQLite's machine between two looks at the clock: some 50 microseconds at most."""


class Snapshots:
    """Answers questions on one read-only connection."""

    def __init__(self, connection: apsw.Connection, tx: SqliteTransaction, path: Path) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._tx = tx
        self._path = path
        self.has_seen_damage = False

    def serve(self, units: list[Question]) -> list[Outcome]:
        """The answers, in order."""
        return [self._answer(unit) for unit in units]

    def _answer(self, unit: Question) -> Outcome:
        try:
            self._cursor.execute("BEGIN")
            outcome = Outcome(value=unit(self._tx))
            self._cursor.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001 - whatever a question raises belongs to its caller, who gets it
            outcome = Outcome(error=explain_error(error, self._path))
            self.has_seen_damage |= isinstance(outcome.error, StoreUnreadable)
            self._end()
        return outcome

    def _end(self) -> None:
        """Let go of the snapshot after an error; a damaged file may refuse even that."""
        if self._connection.in_transaction:
            with contextlib.suppress(apsw.Error):
                self._cursor.execute("ROLLBACK")


class ShortAnswers(Snapshots):
    """Answers what takes no longer than `SHORT_S` by the seconds of `monotonic`, without waiting for anybody."""

    def __init__(
        self, connection: apsw.Connection, tx: SqliteTransaction, path: Path, *, monotonic: Callable[[], float]
    ) -> None:
        super().__init__(connection, tx, path)
        self._monotonic = monotonic
        self._ends_at = 0.0
        self._turn = threading.Lock()
        connection.set_busy_timeout(0)
        connection.set_progress_handler(self._is_late, _STEPS)

    def attempt(self, unit: Question) -> Outcome | None:
        """The answer. None if it takes too long or fails, or if another thread is at it: then a reader's thread shall
        answer, and find out why.
        """
        if not self._turn.acquire(blocking=False):
            return None
        try:
            self._ends_at = self._monotonic() + SHORT_S
            outcome = self._answer(unit)
        finally:
            self._turn.release()
        if outcome.error is None:
            return outcome
        if isinstance(outcome.error, Exception):
            return None
        raise outcome.error

    def _is_late(self) -> bool:
        """Whether SQLite shall give up."""
        return self._monotonic() > self._ends_at
