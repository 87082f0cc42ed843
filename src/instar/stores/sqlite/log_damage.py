"""Is a part of the write-ahead log lost? SQLite itself does not say: it takes a log up to the first frame that is not
sound, and what comes behind it is as if it had never been (LOSS-10).

Theory of operation. A log is written from its start to its end, and a commit is begun only when the one before it is
on the disk. So behind a frame that is not sound there can be at most one commit of the same generation: the one that a
crash cut. Two or more were told to their senders and are out of reach. That is certain, and it is cheap to see, for the
heads of frames lie at fixed places (https://www.sqlite.org/fileformat2.html#walformat) and SQLite tells how many frames
it takes.

A log that was cut off at its end by another hand cannot be told from one that was never longer.
"""

from __future__ import annotations

import shutil
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import apsw
import structlog

from instar.core.lifecycle.archive_name import format_file_time
from instar.core.model.ids import Instant
from instar.stores.sqlite.connection import keep_log
from instar.system.files import create_private_file, sync_file
from instar.system.log_events import STORE_LOG_DAMAGED

__all__ = ["ASIDE", "LogDamage", "find_log_damage", "save_damaged_log"]

ASIDE: Final = ".damaged."
"""Stands in the name of a log that was set aside."""

_HEAD_BYTES: Final = 32
_FRAME_BYTES: Final = 24
_MAGIC: Final = (0x377F0682, 0x377F0683)
_CUT_BY_A_CRASH: Final = 1
"""As many commits may lie behind the first unsound frame without anything being wrong."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogDamage:
    """What is out of reach: so many commits behind the `sound` frames of a log."""

    path: Path
    sound: int
    lost_commits: int


def find_log_damage(database: Path) -> LogDamage | None:
    """The damage of a database's log, None if nothing is certain. No other process may have it open. Blocking.

    Neither file is changed. A database that SQLite itself refuses has no answer here. Raises OSError.
    """
    path = database.with_name(f"{database.name}-wal")
    try:
        with path.open("rb") as file:
            commits = _find_commits(file)
    except FileNotFoundError:
        return None
    if len(commits) <= _CUT_BY_A_CRASH:
        return None
    # Beside a database without a byte SQLite takes no frame: it removes the log as soon as it is asked anything.
    sound = _count_sound(database) if database.stat().st_size else 0
    if sound is None:
        return None
    lost = sum(frame > sound for frame in commits)
    return LogDamage(path=path, sound=sound, lost_commits=lost) if lost > _CUT_BY_A_CRASH else None


def save_damaged_log(database: Path) -> LogDamage | None:
    """Copy a log of which a part is out of reach to ``<name>.damaged.<time>`` before it is written over, and say so.

    A copy that is there already stays. Blocking. Raises OSError.
    """
    damage = find_log_damage(database)
    if damage is None:
        return None
    changed_at = Instant(damage.path.stat().st_mtime_ns // 1_000_000)
    kept = damage.path.with_name(f"{damage.path.name}{ASIDE}{format_file_time(changed_at)}")
    if not kept.exists():
        part = kept.with_name(f".{kept.name}.part")
        try:
            create_private_file(part)
            shutil.copyfile(damage.path, part)
            sync_file(part)
            part.rename(kept)
        finally:
            part.unlink(missing_ok=True)
    log.critical(STORE_LOG_DAMAGED, path=str(damage.path), kept=str(kept), lost_commits=damage.lost_commits)
    return damage


def _find_commits(file: BinaryIO) -> list[int]:
    """The numbers, from 1, of the frames of this generation that end a commit."""
    head = file.read(_HEAD_BYTES)
    if len(head) < _HEAD_BYTES:
        return []
    magic, _version, page_bytes, _number, *salts = struct.unpack(">6I", head[:24])
    if magic not in _MAGIC or not 512 <= page_bytes <= 65536:
        return []
    found = []
    number = 0
    while len(frame := file.read(_FRAME_BYTES)) == _FRAME_BYTES:
        number += 1
        _page, pages_after, *own_salts = struct.unpack(">4I", frame[:16])
        if pages_after and own_salts == salts:
            found.append(number)
        file.seek(page_bytes, 1)
    return found


def _count_sound(database: Path) -> int | None:
    """How many frames SQLite takes; None where it refuses the database."""
    try:
        connection = apsw.Connection(str(database))
        try:
            keep_log(connection, is_kept=True)
            connection.execute("PRAGMA schema_version").fetchall()
            frames, _home = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
        finally:
            connection.close()
    except apsw.Error:
        return None
    return max(0, frames)
