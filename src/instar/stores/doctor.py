"""What is wrong with a state directory, and what can safely be done about it: looked at, never touched (LOSS-10).

Every check reads. The database is opened in a way that cannot write; files are compared, not repaired. A gateway may
run meanwhile: what it is just writing is not taken for damage.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import apsw

from instar.config.config import Config
from instar.core.explain.counting import count_of
from instar.core.lifecycle.archive_name import parse_archive_name
from instar.errors import InstarError, StoreUnreadable
from instar.stores.doctor_finding import DoctorFinding, Severity, build_note, tell_names
from instar.stores.doctor_mirror import check_lost_words, check_mirror
from instar.stores.doctor_rows import check_rows
from instar.stores.migrate import load_steps, plan_steps
from instar.stores.sealing.check import SealProblem, check_cells, take_seals
from instar.stores.sqlite.connection import read_schema, translate_error
from instar.stores.sqlite.log_damage import ASIDE, find_log_damage
from instar.stores.sqlite.snapshot import check_integrity, open_still

__all__ = ["DoctorFinding", "Severity", "examine", "is_held"]

_LOW_BYTES: Final = 256 * 1024 * 1024
"""Less free space than this is told: a compaction or a backup needs some."""


def examine(config: Config) -> list[DoctorFinding]:
    """Everything found in the state directory of a configuration, the database first. Blocking."""
    path = config.store.path
    if path is None:
        return [build_note("no-sqlite", "Sessions are kept in PostgreSQL", fix="Use the tools of that database.")]
    is_running = is_held(path.with_name(f"{path.name}.lock"))
    found = [*_check_database(path, config, is_running=is_running)] if path.is_file() else [*_no_database(path, config)]
    found += _check_lock(path, is_running=is_running)
    found += _check_disk(config, path, is_running=is_running)
    found += _check_folder(config)
    found += _check_logs(path)
    return found


def is_held(lock: Path) -> bool:
    """Whether a process holds a lock file now, whatever pid stands in it."""
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


# --- the database -----------------------------------------------------------------------------------------------------


def _check_database(path: Path, config: Config, *, is_running: bool) -> Iterator[DoctorFinding]:
    """Whether it can be opened, is sound and of a known schema; then its rows and the mirror."""
    damage = None if is_running else find_log_damage(path)
    if damage is not None:
        yield DoctorFinding(
            code="log-damaged",
            severity="critical",
            what=f"{damage.path.name} is damaged: "
            f"{count_of(damage.lost_commits, 'commit at its end is', 'commits at its end are')} out of reach",
            why=f"after frame {damage.sound} it is not what was written there",
            fix=f"Copy {path.name} and {damage.path.name} to another disk. The next start goes on with what is sound, "
            "and keeps the log beside, as well as files of the mirror that hold more.",
            count=damage.lost_commits,
        )
    try:
        connection = open_still(path, in_use=is_running)
        try:
            state = read_schema(connection)
            steps = plan_steps(state, load_steps("sqlite"))
            if problems := check_integrity(connection):
                yield _damaged(config, path, problems[0], count=len(problems))
            if steps and not state.schema_version:
                yield from check_lost_words(config)
            if steps:
                due = count_of(len(steps), "step is due", "steps are due")
                what = f"The database has schema {state.schema_version}; {due}"
                yield build_note("schema-behind", what, fix="The next start tries them on a copy and then runs them.")
            else:
                yield from _check_words(connection, config, is_running=is_running)
        finally:
            connection.close()
    except apsw.Error as error:
        yield _damaged(config, path, str(translate_error(error, path).why or error))
    except StoreUnreadable as error:
        yield _damaged(config, path, str(error))
    except InstarError as error:
        yield DoctorFinding(code=error.code, severity="critical", what=error.what, why=error.why, fix=error.fix)


def _check_words(connection: apsw.Connection, config: Config, *, is_running: bool) -> Iterator[DoctorFinding]:
    """What the rows and the mirror hold, as far as there are keys to read it."""
    seals, problem = take_seals(connection, config)
    if problem is not None:
        yield _of_seals(problem)
    if problem is None or not problem.is_closed:
        yield from check_rows(connection, is_running=is_running)
        yield from check_mirror(connection, config, is_running=is_running)
    if seals is not None:
        yield from map(_of_seals, check_cells(connection, seals))


def _of_seals(problem: SealProblem) -> DoctorFinding:
    return DoctorFinding(
        code=problem.code,
        severity=problem.severity,
        what=problem.what,
        why=problem.why,
        fix=problem.fix,
        count=problem.count,
    )


def _no_database(path: Path, config: Config) -> Iterator[DoctorFinding]:
    yield from check_lost_words(config)
    backup = _newest_backup(config)
    fix = f"Restore {backup} into an empty directory." if backup else "The first start of the gateway makes it."
    yield DoctorFinding(
        code="no-database", severity="warning" if backup else "note", what=f"There is no {path}", fix=fix
    )


def _damaged(config: Config, path: Path, why: str, *, count: int = 1) -> DoctorFinding:
    backup = _newest_backup(config)
    step = (
        f"then `instar backup restore {backup} --state-dir NEW`"
        if backup
        else "then take out what is whole with `sqlite3 copy.db .recover`, or start empty: the mirror's files stay"
    )
    return DoctorFinding(
        code="database-damaged",
        severity="critical",
        what=f"{path} is damaged",
        why=why,
        fix=f"Stop the gateway and copy {path.name} with its -wal file to another disk first; {step}.",
        count=count,
    )


def _newest_backup(config: Config) -> Path | None:
    folder = config.state_dir / "backups"
    found = sorted(folder.glob("*.tar.zst")) if folder.is_dir() else []
    return max(found, key=lambda path: path.stat().st_mtime_ns, default=None)


# --- files ------------------------------------------------------------------------------------------------------------


def _check_lock(path: Path, *, is_running: bool) -> Iterator[DoctorFinding]:
    lock = path.with_name(f"{path.name}.lock")
    if is_running or not lock.is_file():
        return
    pid = lock.read_text(errors="replace").strip()
    if pid:
        yield build_note(
            "lock-stale",
            f"{lock.name} names process {pid}, which does not hold it",
            why="a gateway died without letting go",
            fix="Nothing to do: the next start takes the lock.",
        )


def _check_disk(config: Config, path: Path, *, is_running: bool) -> Iterator[DoctorFinding]:
    """Room on the disk, and the room that is kept back for a full one."""
    folder = next(place for place in (path.parent, *path.parent.parents) if place.exists())
    free = shutil.disk_usage(folder).free
    if free < _LOW_BYTES:
        yield DoctorFinding(
            code="disk-low",
            severity="warning",
            what=f"Only {free // 1024 // 1024} MiB are free on the disk of {path.parent}",
            fix="Free space there; `instar sessions cleanup --dry-run` shows what maintenance would remove.",
        )
    if is_running and not path.with_name(f"{path.name}.reserve").exists():
        yield DoctorFinding(
            code="reserve-missing",
            severity="warning",
            what="The reserve beside the database is used up",
            why="the disk was full",
            fix="Free space: the gateway makes it again by itself and then takes new messages.",
        )
    if config.state_dir.is_dir() and config.state_dir.stat().st_mode & 0o077:
        yield DoctorFinding(
            code="state-readable",
            severity="warning",
            what=f"Other users can look into {config.state_dir}",
            fix=f"chmod 700 {config.state_dir}",
        )


def _check_folder(config: Config) -> Iterator[DoctorFinding]:
    """Files that were set aside, and what a process that died left behind."""
    folder = config.state_dir / "agents"
    paths = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    conflicts = [str(path) for path in paths if ".conflict." in path.name]
    if conflicts:
        yield tell_names(
            "conflict-kept",
            "note",
            conflicts,
            one="file that another hand had changed was kept beside the mirror",
            many="files that another hand had changed were kept beside the mirror",
            fix="Look what such a file holds, then delete it.",
        )
    empty = [str(path) for path in paths if parse_archive_name(path.name) is not None and not path.stat().st_size]
    if empty:
        yield tell_names(
            "archive-empty",
            "warning",
            empty,
            one="archive is empty",
            many="archives are empty",
            fix="Take it from a backup, or delete it.",
        )


def _check_logs(path: Path) -> Iterator[DoctorFinding]:
    """Logs that were set aside because a part of them was out of reach."""
    kept = sorted(str(one) for one in path.parent.glob(f"{path.name}-wal{ASIDE}*"))
    if kept:
        yield tell_names(
            "log-kept",
            "warning",
            kept,
            one="damaged log of the database was set aside",
            many="damaged logs of the database were set aside",
            fix="The last words before it may be missing; files of the mirror named `.conflict.` may hold them. "
            "Compare them, then delete the log.",
        )
