"""Group commit: many units, one transaction, one wait for the disk.

A commit to disk costs as much as some fifty units of work, so all units that wait are put into one. Each runs inside
a savepoint of its own: one that fails takes back only what it wrote, and its caller hears of it at once, since
nothing of it was stored. The others hear after the commit, and only then.

When the commit itself fails nothing was stored, and every caller hears that; save that a disk that was too full for
all may have room for some: then each unit is tried once alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import apsw

from instar.core.policy.redaction import Redactor
from instar.errors import StoreFull, StoreUnreadable
from instar.stores.known import Known
from instar.stores.sealing.seals import Seals
from instar.stores.sqlite.connection import FATAL, SqliteTransaction, explain_error, translate_error
from instar.stores.sqlite.reserve import Reserve
from instar.stores.transaction import Purpose, Touched, Transaction

__all__ = ["Committer", "Outcome", "Unit"]

_CHECKPOINT_PAGES: Final = 1000
"""How long the write-ahead log grows before its pages go home; SQLite's own figure."""

_KNOWN_MAX: Final = 4096
"""Sessions whose state the writer remembers, some 5 KB each at most."""


@dataclass(slots=True, eq=False)
class Unit:
    """One transaction as asked for, and what it is for (`Engine.write`)."""

    run: Callable[[Transaction], object]
    purpose: Purpose = "owed"
    wipe: Literal["", "file", "log"] = ""
    """Instead of a transaction: write the file anew without what was deleted, or only empty the log."""


@dataclass(slots=True, eq=False)
class Outcome:
    """What became of a unit: its value after the commit, or the error that left nothing of it."""

    value: object = None
    error: BaseException | None = None


class Committer:
    """Runs units on the one connection that writes. Belongs to one thread."""

    def __init__(
        self,
        connection: apsw.Connection,
        queries: Mapping[str, str],
        *,
        path: Path | None,
        reserve: Reserve | None,
        on_commit: Sequence[Callable[[Touched], None]],
        redactor: Redactor | None = None,
        seals: Seals | None = None,
    ) -> None:
        self._connection = connection
        self._seals = seals
        self._known = Known(_KNOWN_MAX)
        self._tx = SqliteTransaction(connection, queries, self._known, redactor)
        self._cursor = connection.cursor()
        self._path = path
        self._reserve = reserve
        self._on_commit = on_commit
        self._wal_pages = 0
        self.has_seen_damage = False
        # The log is brought home between commits, when nobody waits for an answer, instead of within one.
        connection.set_wal_hook(self._count_pages)

    def commit(self, units: Sequence[Unit]) -> list[Outcome]:
        """Run units in one commit; their outcomes in the same order."""
        if any(unit.wipe for unit in units):
            return [self._wipe(unit) if unit.wipe else self.commit([unit])[0] for unit in units]
        admitted = [unit for unit in units if unit.purpose != "new" or self._has_room()]
        outcomes = self._attempt(admitted)
        if outcomes is None:
            outcomes = [self._commit_alone(unit) for unit in admitted]
        if len(admitted) == len(units):
            return outcomes
        done = dict(zip(map(id, admitted), outcomes, strict=True))
        return [done.get(id(unit)) or Outcome(error=self._full()) for unit in units]

    def tidy(self) -> None:
        """Bring the write-ahead log home when it has grown; what cannot be done now is done later."""
        if self._wal_pages < _CHECKPOINT_PAGES:
            return
        self._checkpoint()

    def _checkpoint(self) -> None:
        self._wal_pages = 0
        try:
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error:
            # A full or busy disk: every commit so far is safe in the log, and the next growth asks again.
            return

    # --- parts --------------------------------------------------------------------------------------------------------

    def _attempt(self, units: Sequence[Unit]) -> list[Outcome] | None:
        """One commit of all units; None when the disk was full and each should be tried alone."""
        try:
            return self._commit_together(units)
        except apsw.FullError as error:
            self._roll_back()
            # What the log holds goes home first: its file can then be written from the start again.
            self._checkpoint()
            return None if len(units) > 1 or self._reserve is not None else self._fail(units, error)
        except apsw.Error as error:
            self._roll_back()
            return self._fail(units, error)

    def _commit_alone(self, unit: Unit) -> Outcome:
        """One unit by itself; it gets of the reserve what it may have when there is no other room."""
        try:
            return self._commit_together([unit])[0]
        except apsw.FullError as error:
            self._roll_back()
            if self._make_room(unit):
                return self._commit_alone(unit)
            return self._refuse(error)
        except apsw.Error as error:
            self._roll_back()
            return self._refuse(error)

    def _commit_together(self, units: Sequence[Unit]) -> list[Outcome]:
        """Run and commit. Raises apsw.Error when nothing was stored."""
        self._tx.touched = touched = Touched()
        self._cursor.execute("BEGIN IMMEDIATE")
        outcomes = [self._run(unit) for unit in units]
        self._cursor.execute("COMMIT")
        if touched:
            for callback in self._on_commit:
                callback(touched)
        return outcomes

    def _run(self, unit: Unit) -> Outcome:
        """Run one unit inside its savepoint. Raises apsw.Error when the whole transaction is in doubt."""
        self._cursor.execute("SAVEPOINT unit")
        try:
            outcome = Outcome(value=unit.run(self._tx))
        except FATAL:
            raise
        except BaseException as error:
            self._known.forget_all()
            if not self._connection.in_transaction:
                raise
            self._cursor.execute("ROLLBACK TO unit")
            outcome = self._refuse(error)
        self._cursor.execute("RELEASE unit")
        return outcome

    def _wipe(self, unit: Unit) -> Outcome:
        """Leave nothing of what was deleted in the file and its log (LEAK-11).

        Writing the file anew drops every free page; from then on what is deleted is overwritten too, until the log is
        emptied for the last time.
        """
        try:
            if unit.wipe == "file":
                self._connection.execute("PRAGMA secure_delete = on").fetchall()
                self._vacuum()
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            if unit.wipe == "log":
                self._connection.execute("PRAGMA secure_delete = off").fetchall()
        except apsw.Error as error:
            return Outcome(error=translate_error(error, self._path))
        return Outcome()

    def _vacuum(self) -> None:
        if self._seals is None:
            self._connection.execute("VACUUM")
        else:
            self._seals.write_anew(self._connection)

    def _has_room(self) -> bool:
        """Whether new messages may be taken: the reserve is whole, or as much is free inside the database."""
        if self._reserve is None or self._reserve.hold():
            return True
        free_bytes = self._connection.pragma("freelist_count") * self._connection.pragma("page_size")
        return bool(free_bytes >= self._reserve.size_bytes)

    def _make_room(self, unit: Unit) -> bool:
        """Give room of the reserve to a unit; False when it may have none, or has had it."""
        if self._reserve is None or unit.purpose == "new":
            return False
        if not (self._reserve.give_half() or (unit.purpose == "freeing" and self._reserve.give_all())):
            return False
        self._checkpoint()
        return True

    def _roll_back(self) -> None:
        self._known.forget_all()
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _fail(self, units: Sequence[Unit], error: apsw.Error) -> list[Outcome]:
        return [self._refuse(error) for _ in units]

    def _refuse(self, error: BaseException) -> Outcome:
        """What an error means for its caller; damage is remembered for whoever closes the database."""
        told = explain_error(error, self._path)
        self.has_seen_damage |= isinstance(told, StoreUnreadable)
        return Outcome(error=told)

    def _full(self) -> StoreFull:
        return StoreFull(
            f"No new message is taken into {self._path}",
            why="the disk is full, and the room that is left is kept for finishing what was accepted",
            fix="Free space on that disk; messages are then taken again without a restart.",
        )

    def _count_pages(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK
