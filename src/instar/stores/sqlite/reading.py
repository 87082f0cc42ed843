"""A database that is only read, beside a gateway or without one: for the command line (CLI-28).

Nothing is locked, migrated or written, and no file appears beside a database that lies still.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import apsw

from instar.errors import NotFound, StoreError, StoreReadOnly, StoreUnreadable
from instar.stores.known import Known
from instar.stores.migrate import load_steps, plan_steps
from instar.stores.sealing.seals import Seals, check_unsealed
from instar.stores.sqlite.connection import SqliteTransaction, read_schema, translate_error
from instar.stores.sqlite.snapshot import open_still
from instar.stores.transaction import Purpose, Touched, Transaction, load_queries

__all__ = ["ReadingEngine"]

T = TypeVar("T")


class ReadingEngine:
    """Keeps `instar.stores.transaction.Engine` for questions; whoever wants to write is refused.

    Questions are answered on the caller's own thread: there is no other caller to hold up. A database of an older
    build is read as far as it goes.
    """

    def __init__(self, path: Path, *, seals: Seals | None = None) -> None:
        self._path = path
        self.seals = seals
        self._connection: apsw.Connection | None = None
        self._tx: SqliteTransaction | None = None
        self._is_behind = False

    async def open(self) -> None:
        """Open the file. Raises `NotFound`, `StoreTooNew`, `StoreUnreadable`."""
        if not self._path.is_file():
            raise NotFound(f"There is no database {self._path}", fix="Name one, or start the gateway: it makes one.")
        try:
            connection = open_still(self._path, in_use=False)
        except apsw.Error as error:
            raise translate_error(error, self._path) from error
        try:
            self._is_behind = bool(plan_steps(read_schema(connection), load_steps("sqlite")))
            queries = load_queries("sqlite")
            if self.seals is None:
                check_unsealed(connection)
            else:
                self.seals.install(connection)
                queries = self.seals.queries(queries)
        except apsw.Error as error:
            connection.close()
            raise translate_error(error, self._path) from error
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        self._tx = SqliteTransaction(connection, queries, Known(0))

    async def close(self) -> None:
        """Close the file; may be called twice."""
        if self._connection is not None:
            self._connection.close()
            self._connection = self._tx = None

    async def write(
        self,
        unit: Callable[[Transaction], T],  # noqa: ARG002 - part of the interface
        *,
        purpose: Purpose = "owed",  # noqa: ARG002 - the same
    ) -> T:
        """Raises `StoreReadOnly`."""
        raise StoreReadOnly(f"{self._path} is only read here", fix="Start the gateway with `instar gateway`.")

    async def wipe(self, *, log_only: bool = False) -> None:  # noqa: ARG002 - part of the interface
        """Raises `StoreReadOnly`."""
        raise StoreReadOnly(f"{self._path} is only read here", fix="Start the gateway with `instar gateway`.")

    async def read(
        self,
        unit: Callable[[Transaction], T],
        *,
        is_short: bool = False,  # noqa: ARG002 - part of the interface
    ) -> T:
        """Run `unit` on one snapshot."""
        if self._connection is None or self._tx is None:
            raise StoreError("The store is closed")
        try:
            self._connection.execute("BEGIN")
            try:
                return unit(self._tx)
            finally:
                self._connection.execute("ROLLBACK")
        except apsw.Error as error:
            if self._is_behind and isinstance(error, apsw.SQLError):
                raise StoreUnreadable(
                    f"{self._path} has an older schema",
                    why="it lacks what was asked for, and reading must not change it",
                    fix="Start the gateway once: it brings the database up to date.",
                ) from error
            raise translate_error(error, self._path) from error

    def on_commit(self, callback: Callable[[Touched], None]) -> None:
        """Never: nothing is committed."""

    def describe(self) -> dict[str, object]:
        """The engine's name, its SQLite, and the file."""
        return {"engine": "sqlite", "version": apsw.sqlite_lib_version(), "path": str(self._path)}
