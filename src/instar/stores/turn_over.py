"""A store that has rows is sealed, or opened for good: slice by slice, and on from wherever it was cut.

Theory of operation. The first transaction says in `meta` what is under way, empties the index of words, and turns the
session rows over, whose labels are found by value. From then on both kinds of rows are read, and a gateway that starts
in between writes as the goal says. Every other table is turned over in slices, each a transaction; a cell that is
sealed already is left alone. Then files: archives are sealed, files of the mirror removed. Then the database is
written anew, so that no free page keeps a word, and only then the store calls itself sealed.

What belongs here: turning over, and wrapping the ring anew. What does not: keys (`sealing.ring`). Blocking; the store
is locked meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

import apsw

from instar.config.config import Config
from instar.core.context.notes import SEALED_NOTE
from instar.core.lifecycle.archive_name import parse_archive_name
from instar.errors import ConfigError, StoreError
from instar.stores.archive import seal_archive_file, unseal_archive_file
from instar.stores.erasing.notes import open_note_file
from instar.stores.erasing.places import build_places
from instar.stores.migrate import load_steps
from instar.stores.sealing.cells import MARK
from instar.stores.sealing.columns import SEALED
from instar.stores.sealing.copies import note_gone
from instar.stores.sealing.open import load_seals, ring_path
from instar.stores.sealing.ring import count_keys, open_ring
from instar.stores.sealing.seals import RING_NAME, STATE_NAME, Seals, SealState, read_state
from instar.stores.sealing.statements import build_change
from instar.stores.sqlite.connection import keep_log, open_reader, open_writer, translate_error
from instar.stores.sqlite.rehearsal import rehearse
from instar.system.lock import ProcessLock

__all__ = ["Turned", "look_at", "open_store", "rewrap_ring", "seal_store"]

_SLICE: Final = 500
"""Rows turned over in one transaction."""

_After = Sequence[object] | None
"""The primary key of the last row that was turned over; None before the first, and after the last."""

_SMALL: Final = "sessions"
"""The table that is turned over at once: a fiftieth of a millisecond a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """What was turned over: rows, archives, files of the mirror that went. `plain` still hold words as they are."""

    rows: int
    archives: int
    removed: int
    plain: tuple[str, ...] = ()


Told = Callable[[str], None]
"""Hears the name of each table that is through."""


def seal_store(config: Config, *, told: Told) -> Turned:
    """Seal the configured store, or finish sealing it. Raises `ConfigError`, `StoreLocked`, `StoreError`, OSError.

    What was done stays, and the same call goes on.
    """
    if not config.store.encryption.enabled:
        raise ConfigError(
            "Encryption is not switched on",
            why="session.encryption.enabled is not true, so the gateway would not start with an encrypted store",
            fix="Set session.encryption with a key, then run this again.",
            path="session.encryption.enabled",
        )
    with _hold(config) as (connection, seals):
        return _seal_rows(connection, seals, config, told=told)


def open_store(config: Config, *, told: Told) -> Turned:
    """Open the configured store for good, or finish that. Raises as `seal_store`."""
    with _hold(config) as (connection, seals):
        return _open_rows(connection, seals, config, told=told)


def rewrap_ring(config: Config, master: bytes) -> int:
    """Wrap every data key by a new master key; how many. No cell is touched. Raises as `seal_store`."""
    with _hold(config) as (_, seals):
        wrapped = seals.ring.rewrap(master)
        open_ring(ring_path(config), master)
        return wrapped


def look_at(config: Config) -> dict[str, object]:
    """Facts about the encryption of the configured store, without its keys. Raises `StoreError`."""
    path, ring = config.store.path, ring_path(config)
    if path is None or not path.is_file():
        raise StoreError(f"There is no database {path}", fix="Check --config and INSTAR_STATE_DIR.")
    try:
        connection = open_reader(str(path))
        try:
            state = read_state(connection)
        finally:
            connection.close()
    except apsw.Error as error:
        raise translate_error(error, path) from error
    keys, gone = count_keys(ring) if ring.is_file() else (0, 0)
    settings = config.store.encryption
    key = settings.key_file or settings.key_env
    return {
        "state": state,
        "enabled": settings.enabled,
        "key": None if key is None else str(key),
        "ring": str(ring),
        "keys": keys,
        "destroyed": gone,
    }


@contextmanager
def _hold(config: Config) -> Iterator[tuple[apsw.Connection, Seals]]:
    """The database, and its keys, for this process alone."""
    path, seals = config.store.path, load_seals(config, may_turn=True)
    if path is None or not path.is_file():
        raise StoreError(f"There is no database {path}", fix="Check --config and INSTAR_STATE_DIR.")
    if seals is None:
        raise ConfigError(
            "There is no master key",
            why="neither session.encryption.keyFile nor session.encryption.keyEnv is set",
            fix="Name the master key with which the store was encrypted.",
            path="session.encryption",
        )
    lock = ProcessLock(path.with_name(f"{path.name}.lock"))
    lock.acquire()
    try:
        steps = load_steps("sqlite")
        rehearse(path, steps)
        connection = open_writer(str(path), steps)
        try:
            seals.install_writer(connection)
            yield connection, seals
            keep_log(connection, is_kept=False)
        finally:
            connection.close()
    except apsw.Error as error:
        raise translate_error(error, path) from error
    finally:
        lock.release()


def _seal_rows(connection: apsw.Connection, seals: Seals, config: Config, *, told: Told) -> Turned:
    folders = _folders(config)
    begin = (STATE_NAME, "sealing"), (RING_NAME, seals.ring.id)
    rows = _turn(connection, seals, begin, _seal_table, told=told)
    archives = sum(seal_archive_file(path, seals) for path in _archives(folders))
    removed = _remove_mirror(connection)
    _write_anew(connection, seals)
    _say(connection, "on")
    return Turned(rows=rows, archives=archives, removed=removed, plain=_plain_files(config, folders))


def _open_rows(connection: apsw.Connection, seals: Seals, config: Config, *, told: Told) -> Turned:
    """What cannot be opened stays as it is, and is told as `StoreError` once everything else is open."""
    if read_state(connection) == "off":
        return Turned(rows=0, archives=0, removed=0)
    rows = _turn(connection, seals, ((STATE_NAME, "opening"),), _open_table, told=told)
    left = _count_cells(connection)
    if left:
        raise StoreError(
            f"{left} values could not be opened",
            why="their keys are not in the key ring, or they were changed",
            fix="Everything else is in plain text now. Put the newest copy of the ring there and run this again; "
            "`instar doctor` names them.",
        )
    archives = sum(unseal_archive_file(path, seals) for path in _archives(_folders(config)))
    for path in _notes(config, f"*{SEALED_NOTE}"):
        open_note_file(path, seals)
    _write_anew(connection, seals)
    _say(connection, "off")
    return Turned(rows=rows, archives=archives, removed=0)


def _turn(
    connection: apsw.Connection,
    seals: Seals,
    begin: Sequence[tuple[str, str]],
    turn: Callable[[apsw.Connection, str, _After], tuple[int, _After]],
    *,
    told: Told,
) -> int:
    """Turn every table over; how many rows were."""
    seals.is_strict = False
    with connection:
        for name, value in begin:
            connection.execute("INSERT OR REPLACE INTO main.meta (name, value) VALUES (?, ?)", (name, value))
        note_gone(connection, seals.ring)
        connection.execute("INSERT INTO search (search) VALUES ('delete-all')")
        connection.execute("DELETE FROM search_rows; DELETE FROM search_marks")
        done, at = turn(connection, _SMALL, None)
        while at is not None:
            more, at = turn(connection, _SMALL, at)
            done += more
    told(_SMALL)
    for table in (each for each in SEALED if each != _SMALL):
        at = ()
        while at is not None:
            with connection:
                more, at = turn(connection, table, at or None)
            done += more
        told(table)
    return done


def _seal_table(connection: apsw.Connection, table: str, after: _After) -> tuple[int, _After]:
    """Seal the next rows of a table; how many, and where the next go begins, None after the last."""
    sealed = SEALED[table]
    place = ", ".join(f"{table}.{column}" for column in sealed.place)

    def is_cell(column: str) -> str:
        return f"instar_is_cell({table}.{column}, '{table}.{column}', {place})"

    change = build_change(table, lambda column, cell: f"CASE WHEN {is_cell(column)} THEN {column} ELSE {cell} END")
    for column in sealed.hashed:
        # The row is turned over as a whole, so what is beside a value that is no cell is no hash.
        first = next(iter(sealed.columns))
        change += f", {column} = CASE WHEN {is_cell(first)} THEN {column} ELSE instar_hash({column}) END"
    return _change_slice(connection, table, change, after)


def _open_table(connection: apsw.Connection, table: str, after: _After) -> tuple[int, _After]:
    """Open the next rows of a table for good."""
    sealed = SEALED[table]
    place = ", ".join(f"{table}.{column}" for column in sealed.place)
    pairs = []
    for column in sealed.columns:
        named = f"{table}.{column}, '{table}.{column}', {place}"
        pairs.append(f"{column} = CASE WHEN instar_is_cell({named}) THEN instar_open({named}) ELSE {column} END")
    if sealed.hashed:
        named = f"{table}.fields, '{table}.fields', {place}"
        label = f"json_extract(instar_open({named}), '$.naming.label')"
        pairs.append(f"label = CASE WHEN instar_is_cell({named}) THEN {label} ELSE label END")
    change = f"UPDATE main.{table} SET {', '.join(pairs)}"  # noqa: S608 - names of our own
    return _change_slice(connection, table, change, after)


def _change_slice(connection: apsw.Connection, table: str, change: str, after: _After) -> tuple[int, _After]:
    """Run a change on the next rows in the order of their primary key."""
    columns = [row for row in connection.execute(f"PRAGMA main.table_info({table})") if row[5]]
    names = [str(row[1]) for row in sorted(columns, key=lambda row: int(row[5]))]
    key, marks = ", ".join(names), ", ".join("?" * len(names))
    start = f"WHERE ({key}) > ({marks})" if after is not None else ""
    rows = connection.execute(
        f"SELECT {key} FROM main.{table} {start} ORDER BY {key} LIMIT {_SLICE}",  # noqa: S608 - names of our own
        tuple(after or ()),
    ).fetchall()
    for row in rows:
        connection.execute(f"{change} WHERE ({key}) = ({marks})", row)
    return len(rows), rows[-1] if len(rows) == _SLICE else None


def _count_cells(connection: apsw.Connection) -> int:
    """How many values are sealed."""
    total = 0
    for table, sealed in SEALED.items():
        for column in sealed.columns:
            found = f"SELECT COUNT(*) FROM main.{table} WHERE substr({column}, 1, {len(MARK)}) = ?"  # noqa: S608 - ours
            total += int(connection.execute(found, (MARK,)).get)
    return total


def _write_anew(connection: apsw.Connection, seals: Seals) -> None:
    """Leave nothing of what was written before in free pages or in the log."""
    connection.execute("PRAGMA secure_delete = on").fetchall()
    seals.write_anew(connection)
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    connection.execute("PRAGMA secure_delete = off").fetchall()


def _say(connection: apsw.Connection, state: SealState) -> None:
    connection.execute("INSERT OR REPLACE INTO main.meta (name, value) VALUES (?, ?)", (STATE_NAME, state))
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)


# --- files ------------------------------------------------------------------------------------------------------------


def _archives(folders: Sequence[Path]) -> Iterator[Path]:
    for folder in folders:
        for path in sorted(folder.glob("*.zst")) if folder.is_dir() else ():
            if parse_archive_name(path.name) is not None and path.is_file():
                yield path


def _notes(config: Config, pattern: str) -> Iterator[Path]:
    """Notes of every agent, by the ends of their names."""
    for folder in (workspace / "memory" for workspace in build_places(config, None).workspaces):
        yield from sorted(path for path in folder.glob(pattern) if path.is_file())


def _remove_mirror(connection: apsw.Connection) -> int:
    """Remove the files that the mirror wrote; the rows hold every word of them."""
    paths = [Path(str(row[0])) for row in connection.execute("SELECT path FROM main.mirror")]
    removed = 0
    for path in paths:
        if path.is_file():
            path.unlink()
            removed += 1
    connection.execute("DELETE FROM main.mirror")
    return removed


def _folders(config: Config) -> tuple[Path, ...]:
    return build_places(config, None).sessions


def _plain_files(config: Config, folders: Sequence[Path]) -> tuple[str, ...]:
    """Files that hold words as they are, and that only their owner may judge: exports, backups, what was set aside."""
    beside = (path for folder in folders if folder.is_dir() for path in folder.iterdir() if path.suffix != ".zst")
    named = (
        path for name in ("sessions", "backups", "exports", "imported") for path in (config.state_dir / name).rglob("*")
    )
    database = config.store.path
    damaged = database.parent.glob(f"{database.name}*.damaged.*") if database is not None else ()
    notes = _notes(config, "*.md")
    return tuple(sorted({str(path) for path in chain(beside, named, damaged, notes) if path.is_file()}))
