"""SQLite connections through apsw: how they are opened, what their errors mean, how they run named queries.

apsw brings a SQLite of its own; never open the same file with Python's `sqlite3` in this process (its locks would
undo ours).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import apsw
import structlog

from instar.core.policy.redaction import Redactor
from instar.errors import (
    InvariantBroken,
    StoreError,
    StoreFull,
    StoreLocked,
    StoreReadOnly,
    StoreUnreadable,
)
from instar.stores.known import Known
from instar.stores.migrate import SchemaState, Step, plan_steps
from instar.stores.transaction import Params, Row, Touched

__all__ = [
    "FATAL",
    "SqliteTransaction",
    "explain_error",
    "keep_log",
    "migrate",
    "open_reader",
    "open_writer",
    "translate_error",
]

APPLICATION_ID: Final = 0x496E7374
"""Marks a database as Instar's (`PRAGMA application_id`): the letters ``Inst``."""

_WRITER_CACHE_KIB: Final = 32 * 1024
_READER_CACHE_KIB: Final = 512
"""Small: a list or a history reads few pages, the system has them at hand, and every commit empties the cache. A walk
over all rows would fill a larger one and leave it full.
"""

_WAL_LIMIT_BYTES: Final = 64 * 1024 * 1024
"""What a write-ahead log is cut back to once it has been checkpointed."""

_STATEMENTS: Final = 200
"""Prepared statements kept per connection: all of them."""

_BUSY_TIMEOUT_MS: Final = 5000
"""How long to wait for another program that has the file open; gateways are kept apart by the lock file."""

FATAL: Final = (apsw.FullError, apsw.IOError, apsw.CorruptError, apsw.NoMemError, apsw.BusyError)
"""Errors after which a transaction as a whole is in doubt."""

_READ_ERRORS: Final = frozenset({apsw.SQLITE_IOERR_READ, apsw.SQLITE_IOERR_SHORT_READ, apsw.SQLITE_IOERR_CORRUPTFS})


log = structlog.get_logger(__name__)


def open_writer(path: str, steps: Sequence[Step]) -> apsw.Connection:
    """A connection that may write, to a database that is up to date (`docs/formats/database.md`).

    Raises `StoreTooNew`, `StoreUnreadable`, apsw.Error; a file that is refused is not changed by a byte. Whoever
    closes the connection says before, with `keep_log`, whether the log may come home.
    """
    connection = apsw.Connection(path, statementcachesize=_STATEMENTS)
    try:
        keep_log(connection, is_kept=True)
        _steady(connection)
        plan_steps(read_schema(connection), steps)
        _prepare(connection)
        migrate(connection, steps)
    except BaseException:
        connection.close()
        raise
    return connection


def keep_log(connection: apsw.Connection, *, is_kept: bool) -> None:
    """Whether the log stays beside the database when the connection closes, instead of being written into it.

    Beside a damaged database it stays: bringing it home would write over what may still be made out of the file.
    """
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, int(is_kept))


def _prepare(connection: apsw.Connection) -> None:
    """Settings of the connection that writes. WAL and FULL together: a commit that was told survives power loss."""
    if not connection.pragma("page_count"):
        # Only an empty file takes this: deleted pages can then be given back to the disk (MAINT-16).
        connection.execute("PRAGMA auto_vacuum = incremental")
    connection.execute("PRAGMA journal_mode = wal").fetchall()
    connection.execute("PRAGMA synchronous = full")
    connection.execute("PRAGMA foreign_keys = on")
    connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT_BYTES}").fetchall()


def open_reader(path: str) -> apsw.Connection:
    """A connection that cannot write. Raises apsw.Error."""
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY, statementcachesize=_STATEMENTS)
    _steady(connection)
    connection.execute(f"PRAGMA cache_size = -{_READER_CACHE_KIB}")
    return connection


def _steady(connection: apsw.Connection) -> None:
    """Settings of every connection.

    Plans stay as they were made (QPSG). Otherwise SQLite would look at each new value of a parameter and prepare a
    query with a join anew, which takes ten times as long as running it.
    """
    connection.set_busy_timeout(_BUSY_TIMEOUT_MS)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)


# --- named queries ----------------------------------------------------------------------------------------------------


class SqliteTransaction:
    """Runs named queries on one connection; keeps `instar.stores.transaction.Transaction`."""

    def __init__(
        self,
        connection: apsw.Connection,
        queries: Mapping[str, str],
        known: Known,
        redactor: Redactor | None = None,
    ) -> None:
        self._connection = connection
        self.redactor = redactor or Redactor()
        self._cursor = connection.cursor()
        self._queries = queries
        self.known = known
        self.touched = Touched()

    def one(self, name: str, params: Params) -> Row | None:
        """The first row of a query, None if it has none."""
        rows = self._cursor.execute(self._queries[name], params).fetchall()
        return rows[0] if rows else None

    def all(self, name: str, params: Params) -> list[Row]:
        """Every row of a query."""
        return self._cursor.execute(self._queries[name], params).fetchall()

    def run(self, name: str, params: Params) -> int:
        """Run a statement that writes; the number of rows it changed."""
        self._cursor.execute(self._queries[name], params)
        return self._connection.changes()

    def attempt(self, name: str, work: Callable[[], None]) -> bool:
        """Do work that the rest can do without, in a savepoint of its own."""
        self._cursor.execute("SAVEPOINT attempt")
        try:
            work()
        except FATAL:
            raise
        except (apsw.Error, StoreError) as error:
            log.warning("attempt_failed", work=name, error=str(error))
            self._cursor.execute("ROLLBACK TO attempt")
            self._cursor.execute("RELEASE attempt")
            return False
        self._cursor.execute("RELEASE attempt")
        return True

    def run_many(self, name: str, rows: Sequence[Params]) -> None:
        """Run a statement once for each set of parameters, in order."""
        self._cursor.executemany(self._queries[name], rows)


# --- the schema -------------------------------------------------------------------------------------------------------


def migrate(connection: apsw.Connection, steps: Sequence[Step]) -> None:
    """Bring a database up to date. Raises `StoreTooNew`, `StoreUnreadable`, apsw.Error; the file is then as it was."""
    for step in plan_steps(read_schema(connection), steps):
        with connection:
            connection.execute(step.sql)
            numbers = {"schema_version": step.number, "oldest_build": step.oldest_build}
            for name, number in numbers.items():
                connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, str(number)))
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def read_schema(connection: apsw.Connection) -> SchemaState:
    """The numbers of a database. Raises `StoreUnreadable` for one that another program made."""
    application_id = connection.execute("PRAGMA application_id").get
    has_tables = connection.execute("SELECT COUNT(*) FROM sqlite_master").get
    if not has_tables and application_id in {0, APPLICATION_ID}:
        return SchemaState()
    if application_id != APPLICATION_ID:
        raise StoreUnreadable(
            "This is not a session store",
            why="the file is a database of another program",
            fix="Give `session.store` a path of its own, or move the file away.",
        )
    numbers = {row[0]: row[1] for row in connection.execute("SELECT name, value FROM meta")}
    return SchemaState(
        schema_version=int(numbers["schema_version"]),
        oldest_build=int(numbers["oldest_build"]),
    )


# --- errors -----------------------------------------------------------------------------------------------------------


def explain_error(error: BaseException, path: Path | None) -> BaseException:
    """What an error in a unit means for its caller; what is not SQLite's is given on as it is."""
    match error:
        case apsw.Error():
            return translate_error(error, path)
        case UnicodeDecodeError():
            return _unreadable(_place(path), f"a stored text is damaged ({error.reason})")
        case _:
            return error


def translate_error(error: apsw.Error, path: Path | None) -> StoreError | InvariantBroken:
    """What an error of SQLite means for the store."""
    place = _place(path)
    text = str(error)
    match error:
        case apsw.FullError():
            return StoreFull(
                f"Nothing can be stored in {place}",
                why="the disk is full",
                fix="Free space on that disk; nothing that was acknowledged is lost, and new messages are taken again.",
            )
        case apsw.ReadOnlyError() | apsw.CantOpenError() | apsw.PermissionsError() | apsw.AuthError():
            return StoreReadOnly(
                f"{place} cannot be written",
                why=text,
                fix="Check who owns the file and its folder, and whether the disk is mounted read-only.",
            )
        case apsw.BusyError() | apsw.LockedError():
            return StoreLocked(
                f"{place} is in use", why="another program holds it open for writing", fix="Close that program."
            )
        case apsw.CorruptError() | apsw.NotADBError() | apsw.FormatError():
            return _unreadable(place, text)
        case apsw.IOError() if getattr(error, "extendedresult", 0) in _READ_ERRORS:
            return _unreadable(place, text)
        case apsw.IOError():
            return StoreReadOnly(f"The disk refused {place}", why=text, fix="Check the disk and its quota.")
        case apsw.ConstraintError():
            return InvariantBroken("the schema holds", why=text)
        case _:
            return StoreError(f"{place} failed", why=text, fix="Please report it with the log around it.")


def _place(path: Path | None) -> str:
    return str(path) if path is not None else "the store in memory"


def _unreadable(place: str, text: str) -> StoreUnreadable:
    return StoreUnreadable(
        f"{place} cannot be read",
        why=text,
        fix="It is left as it is. Restore a backup, or move the file away to start empty.",
    )
