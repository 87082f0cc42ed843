"""Steps of the schema are tried on a copy before they touch the store: a step that loses words never runs on it.

The copy is made as a backup is. Before and after the steps every row of every table is counted into a checksum, over
the tables and columns that both have; the order of rows does not matter. Then SQLite looks the copy over. Only what
comes through all this is done to the store itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import apsw

from instar.errors import StoreError
from instar.stores.migrate import Step, plan_steps
from instar.stores.sqlite.connection import migrate, open_reader, read_schema
from instar.stores.sqlite.snapshot import check_integrity

__all__ = ["rehearse"]

_LEFT_OUT: Final = ("sqlite_", "search", "meta")
"""Tables that are derived from others, or hold the numbers that a step is meant to change."""

_ROUND: Final = 1 << 256


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sum:
    """A checksum over the rows of a table, in the columns named."""

    columns: tuple[str, ...]
    rows: int
    digest: int


def rehearse(path: Path, steps: Sequence[Step]) -> None:
    """Try the steps that a database still needs on a copy of it. Blocking.

    Returns at once when there is none. Raises `StoreError` when a step fails or loses something, `StoreTooNew`,
    apsw.Error when the disk has no room for the copy; the database is then as it was.
    """
    if not path.exists() or not path.stat().st_size:
        return
    source = open_reader(str(path))
    try:
        state = read_schema(source)
        if not state.schema_version or not plan_steps(state, steps):
            return
        copy_path = path.with_name(f".{path.name}.rehearsal")
        _remove(copy_path)
        try:
            _rehearse(source, copy_path, steps)
        finally:
            _remove(copy_path)
    finally:
        source.close()


def _rehearse(source: apsw.Connection, copy_path: Path, steps: Sequence[Step]) -> None:
    copy = apsw.Connection(str(copy_path))
    try:
        with copy.backup("main", source, "main") as backup:
            backup.step(-1)
        before = _sum_all(copy, None)
        try:
            migrate(copy, steps)
        except apsw.Error as error:
            raise _refuse(f"a step fails: {error}") from error
        after = _sum_all(copy, before)
        for table, known in before.items():
            if table in after and not _is_kept(known, after[table]):
                raise _refuse(f"the rows of {table} are not what they were")
        if problems := check_integrity(copy):
            raise _refuse(problems[0])
    finally:
        copy.close()


def _is_kept(before: _Sum, after: _Sum) -> bool:
    """Whether a table holds what it held; where a column went, only the number of its rows can be compared."""
    return before.rows == after.rows and (before.columns != after.columns or before.digest == after.digest)


def _sum_all(connection: apsw.Connection, before: Mapping[str, _Sum] | None) -> dict[str, _Sum]:
    """Checksums by table; with `before` only over the columns that were there then."""
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    sums = {}
    for name in names:
        if name.startswith(_LEFT_OUT) or (before is not None and name not in before):
            continue
        columns = [str(row[1]) for row in connection.execute(f"PRAGMA table_info({name})")]
        wanted = [column for column in columns if before is None or column in before[name].columns]
        sums[name] = _sum_rows(connection, name, tuple(wanted))
    return sums


def _sum_rows(connection: apsw.Connection, table: str, columns: tuple[str, ...]) -> _Sum:
    total = rows = 0
    listed = ", ".join(f'"{column}"' for column in columns)
    for row in connection.execute(f"SELECT {listed} FROM {table}"):  # noqa: S608 - names of the schema
        total = (total + int.from_bytes(sha256(repr(row).encode("utf-8", "surrogatepass")).digest())) % _ROUND
        rows += 1
    return _Sum(columns=columns, rows=rows, digest=total)


def _refuse(why: str) -> StoreError:
    return StoreError(
        "The database cannot be brought up to date",
        why=f"on a copy {why}",
        fix="It was left as it is. Go on with the build that wrote it, and report this with its version.",
    )


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
