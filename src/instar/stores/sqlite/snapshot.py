"""A database as a file of its own: copied while a gateway writes, looked over, made ready for another place.

Copies are taken on a connection that can only read, in one transaction, so the gateway is never held up and the copy
is the state of one moment. `VACUUM INTO` leaves out what was deleted: a backup holds no words that were erased.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final
from urllib.parse import quote

import apsw

from instar.errors import StoreUnreadable
from instar.stores.migrate import SchemaState, load_steps, plan_steps
from instar.stores.sqlite.connection import open_reader, read_schema, translate_error

__all__ = [
    "COUNTED",
    "DatabaseFacts",
    "check_integrity",
    "copy_database",
    "make_ready",
    "open_still",
    "read_facts",
]

COUNTED: Final = ("sessions", "transcripts", "entries", "inbox", "outbox", "decisions", "usage")
"""Tables whose rows are counted, so that a copy can be held against its source."""

_PROBLEMS: Final = 20
"""As many complaints of SQLite's own check as are told; more would say the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """What a look at a database found. `problems` are SQLite's own words; none means that it is sound."""

    schema: SchemaState
    counts: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def copy_database(source: Path, target: Path) -> None:
    """Copy a database, of a running gateway or not, to a file that is not there yet. Raises `StoreError`. Blocking."""
    try:
        connection = open_reader(str(source))
        try:
            read_schema(connection)
            connection.execute("VACUUM INTO ?", (str(target),))
        finally:
            connection.close()
    except apsw.Error as error:
        raise translate_error(error, source) from error


def open_still(path: Path, *, in_use: bool) -> apsw.Connection:
    """A connection that cannot write and leaves no file beside the database that lies still.

    `in_use` says that a gateway has it open; then its log is read too. Raises apsw.Error.
    """
    has_log = path.with_name(f"{path.name}-wal").exists()
    if in_use or has_log:
        return open_reader(str(path))
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    return apsw.Connection(f"file:{quote(str(path.absolute()))}?immutable=1", flags=flags)


def read_facts(path: Path, *, in_use: bool = False) -> DatabaseFacts:
    """Whether a database is sound, its schema, and how many rows its tables have. Raises `StoreError`. Blocking."""
    try:
        connection = open_still(path, in_use=in_use)
        try:
            schema = read_schema(connection)
            if schema.schema_version == 0:
                raise StoreUnreadable(f"{path} is empty", why="it has no tables", fix="Name a database of Instar.")
            return DatabaseFacts(schema=schema, counts=_count(connection), problems=check_integrity(connection))
        finally:
            connection.close()
    except apsw.Error as error:
        raise translate_error(error, path) from error


def check_integrity(connection: apsw.Connection) -> tuple[str, ...]:
    """What SQLite finds wrong with a database: pages, indices, references. Raises apsw.Error where it cannot look."""
    told = [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({_PROBLEMS})")]
    found = [text for text in told if text != "ok"]
    rows = islice(connection.execute("PRAGMA foreign_key_check"), _PROBLEMS)
    return tuple(found + [f"{row[0]}: a row refers to {row[2]}, which lacks it" for row in rows])


def _count(connection: apsw.Connection) -> dict[str, int]:
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return {
        name: int(connection.execute(f"SELECT COUNT(*) FROM {name}").get)  # noqa: S608 - names of our own
        for name in COUNTED
        if name in tables
    }


def make_ready(path: Path, *, now: int) -> int:
    """Make a copy ready to live at another place; how many replies are held back. Raises `StoreError`. Blocking.

    The mirror forgets its files, which lie elsewhere. Replies that were still owed when the copy was taken have
    probably left since: they are held for a person to decide, as LOSS-5 does with every reply of unknown fate.
    """
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            plan_steps(read_schema(connection), load_steps("sqlite"))
            connection.execute("BEGIN IMMEDIATE; DELETE FROM mirror")
            connection.execute(
                "UPDATE outbox SET state = 'unknown', reason = 'held', next_at = ?"
                " WHERE ended_at IS NULL AND state <> 'unknown'",
                (now,),
            )
            held = connection.changes()
            connection.execute("COMMIT")
            return held
        finally:
            connection.close()
    except apsw.Error as error:
        raise translate_error(error, path) from error
