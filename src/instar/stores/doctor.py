"""What is wrong with a state directory, and what can safely be done about it: looked at, never touched (LOSS-10).

Every check reads. The database is opened in a way that cannot write; files are compared, not repaired. A gateway may
run meanwhile: what it is just writing is not taken for damage.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import apsw
import msgspec

from instar.config.config import Config
from instar.core.lifecycle.archive_name import parse_archive_name
from instar.errors import InstarError, StoreUnreadable
from instar.stores.known import Known
from instar.stores.migrate import load_steps, plan_steps
from instar.stores.mirror_files import Comparison
from instar.stores.mirror_places import MirrorPlaces
from instar.stores.mirror_rows import Listed, list_mirrored, load_slice
from instar.stores.mirror_strays import STRAYS_FIX, is_archived, pick_strays, walk_transcript_files
from instar.stores.rows import parse_session
from instar.stores.sealing.check import SealProblem, check_cells, take_seals
from instar.stores.sqlite.connection import SqliteTransaction, read_schema, translate_error
from instar.stores.sqlite.log_damage import ASIDE, find_log_damage
from instar.stores.sqlite.snapshot import check_integrity, open_still
from instar.stores.transaction import load_queries
from instar.stores.transcripts import find_transcript

__all__ = ["DoctorFinding", "Severity", "examine", "is_held"]

Severity = Literal["critical", "warning", "note"]
"""`critical`: words are in danger or out of reach. `warning`: something to settle. `note`: worth knowing."""

_LOW_BYTES: Final = 256 * 1024 * 1024
"""Less free space than this is told: a compaction or a backup needs some."""

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorFinding:
    """One thing found: what, why, and the safe step to take. `count` is how many of it there are."""

    code: str
    severity: Severity
    what: str
    why: str = ""
    fix: str = ""
    count: int = 1


def examine(config: Config) -> list[DoctorFinding]:
    """Everything found in the state directory of a configuration, the database first. Blocking."""
    path = config.store.path
    if path is None:
        return [_note("no-sqlite", "Sessions are kept in PostgreSQL", fix="Use the tools of that database.")]
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
            what=f"{damage.path.name} is damaged: {damage.lost_commits} commits at its end are out of reach",
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
                yield from _check_lost_words(config)
            if steps:
                what = f"The database has schema {state.schema_version}; {len(steps)} steps are due"
                yield _note("schema-behind", what, fix="The next start tries them on a copy and then runs them.")
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
        yield from _check_rows(connection, is_running=is_running)
        yield from _check_mirror(connection, config, is_running=is_running)
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
    yield from _check_lost_words(config)
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


# --- rows -------------------------------------------------------------------------------------------------------------

_QUESTIONS: Final[tuple[tuple[str, Severity, str, str, str], ...]] = (
    (
        "session-without-transcript",
        "warning",
        (
            "SELECT key FROM sessions AS s WHERE NOT EXISTS"
            " (SELECT 1 FROM transcripts AS t WHERE t.key = s.key AND t.closed_at IS NULL)"
        ),
        "have no current transcript",
        "Write to one of them, or run `instar sessions cleanup --fix-missing`; `/resume` brings an older life back.",
    ),
    (
        "session-and-transcript-differ",
        "critical",
        (
            "SELECT s.key FROM sessions AS s JOIN transcripts AS t ON t.key = s.key AND t.closed_at IS NULL"
            " WHERE t.session_id <> s.session_id"
        ),
        "are not of the same id as their current transcripts",
        "Make a backup, then `/reset` each of them: the words stay in its history.",
    ),
    (
        "transcript-without-session",
        "note",
        (
            "SELECT DISTINCT key FROM transcripts WHERE key NOT IN (SELECT key FROM sessions)"
            " AND close_reason IS NOT 'staged'"
        ),
        "have transcripts and no session",
        "They were deleted with their transcripts kept; a message under the key, or nothing, is all they need.",
    ),
    (
        "import-cut-off",
        "note",
        "SELECT session_id FROM transcripts WHERE close_reason = 'staged' AND session_id NOT LIKE 'removed:%'",
        "transcripts are not imported as a whole",
        "Nobody sees a part of one. Where no import runs, the next start takes it away: then import the file again.",
    ),
    (
        "deletion-cut-off",
        "note",
        "SELECT session_id FROM transcripts WHERE close_reason = 'staged' AND session_id LIKE 'removed:%'",
        "transcripts of deleted sessions still have lines",
        "Nobody sees them. Where no deletion is under way, the next start takes them away.",
    ),
    (
        "lines-without-transcript",
        "critical",
        "SELECT DISTINCT transcript FROM entries WHERE transcript NOT IN (SELECT id FROM transcripts)",
        "transcripts are gone while their lines are there",
        "Make a backup and report it: a transaction was not whole.",
    ),
    (
        "delivery-unknown",
        "warning",
        "SELECT delivery_id FROM outbox WHERE state = 'unknown' AND ended_at IS NULL",
        "replies may or may not have been sent",
        "See them with `instar outbox list`; settle each with `instar outbox send ID` or `instar outbox drop ID`.",
    ),
    (
        "delivery-failed",
        "note",
        "SELECT delivery_id FROM outbox WHERE state = 'failed'",
        "replies could not be sent",
        "See them with `instar outbox list --state failed`; `instar outbox send ID` tries one again.",
    ),
)
"""Code, severity, a query for what is wrong, its words, the step to take."""


def _check_rows(connection: apsw.Connection, *, is_running: bool) -> Iterator[DoctorFinding]:
    """Rows that contradict each other, rows that cannot be read, and what waits for a person."""
    for code, severity, query, words, fix in _QUESTIONS:
        names = [str(row[0]) for row in connection.execute(query)]
        if names:
            subject = "" if words.startswith(("replies", "transcripts")) else "sessions "
            yield DoctorFinding(
                code=code,
                severity=severity,
                what=f"{len(names)} {subject}{words}",
                why=_some(names),
                fix=fix,
                count=len(names),
            )
    yield from _check_texts(connection)
    if not is_running:
        waiting = connection.execute("SELECT COUNT(*) FROM inbox WHERE ended_at IS NULL").get
        if waiting:
            yield _note("messages-waiting", f"{waiting} messages wait", fix="The next start takes them up.")


def _check_texts(connection: apsw.Connection) -> Iterator[DoctorFinding]:
    """Stored texts that are not what was written there."""
    rows = []
    for key, fields in connection.execute("SELECT key, fields FROM sessions"):
        try:
            parse_session(fields)
        except StoreUnreadable:
            rows.append(str(key))
    if rows:
        yield _unreadable("session-unreadable", f"{len(rows)} session rows cannot be read", rows)
    lines = []
    query = "SELECT t.session_id, e.seq, e.line FROM entries AS e JOIN transcripts AS t ON t.id = e.transcript"
    for session_id, seq, line in connection.execute(query):
        try:
            msgspec.json.decode(line, type=dict)
        except msgspec.DecodeError:
            lines.append(f"{session_id} line {seq}")
    if lines:
        yield _unreadable("line-unreadable", f"{len(lines)} lines of transcripts cannot be read", lines)


def _unreadable(code: str, what: str, names: list[str]) -> DoctorFinding:
    return DoctorFinding(
        code=code,
        severity="critical",
        what=what,
        why=_some(names),
        fix="Everything else keeps working. Compare with the newest backup and with the mirror's files, which hold "
        "the same lines.",
        count=len(names),
    )


# --- the mirror -------------------------------------------------------------------------------------------------------


def _check_mirror(connection: apsw.Connection, config: Config, *, is_running: bool) -> Iterator[DoctorFinding]:
    """Files that do not hold what the rows say; contents are compared, not sizes (STORE-4)."""
    if config.store.mirror == "off":
        return
    places = MirrorPlaces.of(config)
    tx = SqliteTransaction(connection, load_queries("sqlite"), Known(0))
    found: dict[_Level, list[str]] = {"level": [], "behind": [], "missing": [], "differs": []}
    after = 0
    while listed := list_mirrored(tx, after=after):
        after = listed[-1].place
        for one in listed:
            place = places.transcript(one.key, one.session_id, closed_at=one.closed_at)
            path = one.mark.path if one.mark is not None else place
            level = _compare(tx, one, path, is_running=is_running)
            is_let_go = level == "missing" and one.closed_at is not None and config.maintenance.lets_archives_go
            found["level" if is_let_go else level].append(str(path))
    yield from _tell_mirror(found, is_running=is_running)
    yield from _tell_strays(path for files in walk_transcript_files(places) for path in pick_strays(tx, files).files)


def _check_lost_words(config: Config) -> Iterator[DoctorFinding]:
    """What the mirror holds where there is no database, or one without a single row: all that is left of the words."""
    yield from _tell_strays(path for files in walk_transcript_files(MirrorPlaces.of(config)) for _, path in files)


def _tell_strays(paths: Iterable[Path]) -> Iterator[DoctorFinding]:
    strays = [str(stray) for stray in sorted(paths) if not is_archived(stray)]
    if strays:
        yield DoctorFinding(
            code="mirror-strays",
            severity="critical",
            what=f"{len(strays)} transcripts lie in files, and the database does not know them",
            why=_some(strays),
            fix=STRAYS_FIX,
            count=len(strays),
        )


_Level = Literal["level", "behind", "missing", "differs"]
"""How a file of the mirror stands: as its rows, a beginning of them, not there, something else."""


def _tell_mirror(found: dict[_Level, list[str]], *, is_running: bool) -> Iterator[DoctorFinding]:
    late = "The gateway writes them in a moment" if is_running else "The next start writes what they lack"
    lagging: tuple[tuple[_Level, str], ...] = (("missing", "are missing"), ("behind", "lack their last lines"))
    for level, words in lagging:
        names = found[level]
        if names and not (is_running and level == "behind"):
            yield DoctorFinding(
                code=f"mirror-{level}",
                severity="note",
                what=f"{len(names)} files of the mirror {words}",
                why=_some(names),
                fix=f"{late}; nothing is lost, since the database holds every word.",
                count=len(names),
            )
    if found["differs"]:
        yield DoctorFinding(
            code="mirror-differs",
            severity="warning",
            what=f"{len(found['differs'])} files of the mirror do not hold what the database says",
            why=_some(found["differs"]),
            fix="If you changed them by hand, copy your changes away. The next start keeps such a file as "
            "`<name>.conflict.<time>` and writes it anew.",
            count=len(found["differs"]),
        )


def _compare(tx: SqliteTransaction, one: Listed, path: Path, *, is_running: bool) -> _Level:
    """How a file stands to its transcript; beside a running gateway it may hold lines that came after our snapshot."""
    transcript = find_transcript(tx, one.session_id)
    if transcript is None:
        return "level"
    if not path.is_file():
        return "missing"
    comparison = Comparison(path)
    try:
        seq, size = -1, 0
        while lines := load_slice(tx, transcript, seq=seq, size=size):
            texts = [text for _, text in lines]
            taken = comparison.take(texts)
            if taken is None or taken < len(texts):
                return "differs" if taken is None else "behind"
            seq, size = lines[-1][0], size + sum(len(text.encode()) + 1 for text in texts)
        return "differs" if comparison.has_more() and not is_running else "level"
    finally:
        comparison.close()


# --- files ------------------------------------------------------------------------------------------------------------


def _check_lock(path: Path, *, is_running: bool) -> Iterator[DoctorFinding]:
    lock = path.with_name(f"{path.name}.lock")
    if is_running or not lock.is_file():
        return
    pid = lock.read_text(errors="replace").strip()
    if pid:
        yield _note(
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
        yield DoctorFinding(
            code="conflict-kept",
            severity="note",
            what=f"{len(conflicts)} files that another hand had changed were kept beside the mirror",
            why=_some(conflicts),
            fix="Look what is in them, then delete them.",
            count=len(conflicts),
        )
    empty = [str(path) for path in paths if parse_archive_name(path.name) is not None and not path.stat().st_size]
    if empty:
        yield DoctorFinding(
            code="archive-empty",
            severity="warning",
            what=f"{len(empty)} archives are empty",
            why=_some(empty),
            fix="Take them from a backup, or delete them.",
            count=len(empty),
        )


def _check_logs(path: Path) -> Iterator[DoctorFinding]:
    """Logs that were set aside because a part of them was out of reach."""
    kept = sorted(str(one) for one in path.parent.glob(f"{path.name}-wal{ASIDE}*"))
    if kept:
        yield DoctorFinding(
            code="log-kept",
            severity="warning",
            what=f"{len(kept)} damaged logs of the database were set aside",
            why=_some(kept),
            fix="The last words before each may be missing; files of the mirror named `.conflict.` may hold them. "
            "Compare them, then delete the logs.",
            count=len(kept),
        )


def _note(code: str, what: str, *, why: str = "", fix: str = "") -> DoctorFinding:
    return DoctorFinding(code=code, severity="note", what=what, why=why, fix=fix)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
