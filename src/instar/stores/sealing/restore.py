"""An encrypted store that comes back from a backup: its key ring is brought along from where it lies today.

The ring of today is the right one: it lacks the keys of whoever was erased since, so that they do not come back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import apsw

from instar.config.sections.store import DATABASE_NAME
from instar.errors import StoreError
from instar.stores.sealing.ring import RING_NAME as RING_FILE
from instar.stores.sealing.ring import copy_ring, read_ring_id
from instar.stores.sealing.seals import RING_NAME, Seals, read_state

__all__ = ["FindMaster", "bring_ring", "is_sealed"]

FindMaster = Callable[[Path], bytes]
"""The master key for a restored directory, which has the configuration of then. Raises `ConfigError`."""


def is_sealed(database: Path) -> bool:
    """Whether the words of a database are encrypted, all or some. Raises apsw.Error."""
    return _look(database)[0] != "off"


def bring_ring(
    state_dir: Path, folders: Iterable[Path], *, find_master: FindMaster | None, is_needed: bool
) -> Seals | None:
    """Copy the ring of a restored database into its directory; the seals, None where it is not sealed or has no ring.

    `is_needed` says that somebody was erased since, who is to be taken out again. Raises `StoreError` where that
    cannot be done, `ConfigError` without a master key.
    """
    state, wanted = _look(state_dir / DATABASE_NAME)
    if state == "off":
        return None
    for folder in folders:
        ring = folder / RING_FILE
        if ring.is_file() and read_ring_id(ring) == wanted:
            copy_ring(ring, state_dir / RING_FILE)
            return Seals(state_dir / RING_FILE, find_master(state_dir)) if find_master is not None else None
    if is_needed:
        raise StoreError(
            "The words of this backup are encrypted, and its key ring was not found",
            why="somebody was erased since, and cannot be taken out again without it",
            fix=f"Put the newest copy of {RING_FILE} beside the backup and restore again.",
        )
    return None


def _look(database: Path) -> tuple[str, str | None]:
    """What a database is, and which ring it needs."""
    connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        found = connection.execute("SELECT value FROM meta WHERE name = ?", (RING_NAME,)).get
        return read_state(connection), None if found is None else str(found)
    finally:
        connection.close()
