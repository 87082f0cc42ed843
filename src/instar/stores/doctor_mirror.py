"""Whether the mirror's files hold what the rows say, and what lies there that no row knows (STORE-4). Only read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import apsw

from instar.config.config import Config
from instar.stores.doctor_finding import DoctorFinding, name_some
from instar.stores.doctor_folders import Level, compare_folders, compare_transcript, tell_left_folders
from instar.stores.known import Known
from instar.stores.mirror_index import compare_index
from instar.stores.mirror_moved import find_old_home, take_home
from instar.stores.mirror_places import MirrorPlaces
from instar.stores.mirror_rows import list_agents, list_mirrored, list_written_indices
from instar.stores.mirror_strays import STRAYS_FIX, is_archived, pick_strays, walk_transcript_files
from instar.stores.sqlite.connection import SqliteTransaction
from instar.stores.transaction import load_queries

__all__ = ["check_lost_words", "check_mirror"]


def check_mirror(connection: apsw.Connection, config: Config, *, is_running: bool) -> Iterator[DoctorFinding]:
    """Files that do not hold what the rows say; contents are compared, not sizes (STORE-4)."""
    if config.store.mirror == "off":
        return
    places = MirrorPlaces.of(config)
    tx = SqliteTransaction(connection, load_queries("sqlite"), Known(0))
    found: dict[Level, list[str]] = {"level": [], "behind": [], "missing": [], "differs": []}
    old_home = find_old_home(tx, places)
    after = 0
    while listed := list_mirrored(tx, after=after):
        after = listed[-1].place
        for one in listed:
            place = places.transcript(one.key, one.session_id, closed_at=one.closed_at)
            path = take_home(one.mark.path, old_home, places) if one.mark is not None else place
            level = compare_transcript(tx, one.session_id, path, is_running=is_running)
            is_let_go = level == "missing" and one.closed_at is not None and config.maintenance.lets_archives_go
            found["level" if is_let_go else level].append(str(path))
    if config.store.mirror == "per-key":
        for path, level in compare_folders(tx, config.state_dir, is_running=is_running):
            found[level].append(str(path))
        yield from tell_left_folders(tx, config.state_dir, is_running=is_running)
    yield from _tell_mirror(found, is_running=is_running)
    yield from _check_indices(tx, places, old_home, is_running=is_running)
    yield from _tell_strays(path for files in walk_transcript_files(places) for path in pick_strays(tx, files).files)


def _check_indices(
    tx: SqliteTransaction, places: MirrorPlaces, old_home: Path | None, *, is_running: bool
) -> Iterator[DoctorFinding]:
    """Lists of sessions that do not say what the rows say (STORE-3)."""
    agents = list_agents(tx)
    written = {take_home(path, old_home, places) for path in list_written_indices(tx)}
    found: dict[str, list[str]] = {"missing": [], "behind": [], "differs": []}
    for path in sorted({path for path in written if path.is_file()} | {places.index(agent_id) for agent_id in agents}):
        sharing = sorted(agent_id for agent_id in agents if places.index(agent_id) == path)
        try:
            is_level = compare_index(tx, path, sharing)
        except FileNotFoundError:
            found["missing"].append(str(path))
            continue
        # Under another name of the state directory, nothing says how a list was left.
        is_late = is_level is None or (not is_level and old_home is not None)
        if not is_level:
            found["behind" if is_late else "differs"].append(str(path))
    late = "The gateway writes them in a moment" if is_running else "The next start writes them anew"
    for level, words in (("missing", "are missing"), ("behind", "are older than the database")):
        if found[level] and not (is_running and level == "behind"):
            what = f"{len(found[level])} lists of sessions {words}"
            why = name_some(found[level])
            fix = f"{late}; nothing is lost, since the database holds every session."
            yield DoctorFinding(
                code=f"index-{level}", severity="note", what=what, why=why, fix=fix, count=len(found[level])
            )
    if found["differs"]:
        yield DoctorFinding(
            code="index-differs",
            severity="warning",
            what=f"{len(found['differs'])} lists of sessions do not hold what the database says",
            why=name_some(found["differs"]),
            fix="Nobody reads them back; `instar sessions patch` changes a session. If you changed one by hand, copy "
            "your changes away; the next rewrite keeps it as `sessions.json.conflict.<time>`.",
            count=len(found["differs"]),
        )


def check_lost_words(config: Config) -> Iterator[DoctorFinding]:
    """What the mirror holds where there is no database, or one without a single row: all that is left of the words."""
    yield from _tell_strays(path for files in walk_transcript_files(MirrorPlaces.of(config)) for _, path in files)


def _tell_strays(paths: Iterable[Path]) -> Iterator[DoctorFinding]:
    strays = [str(stray) for stray in sorted(paths) if not is_archived(stray)]
    if strays:
        yield DoctorFinding(
            code="mirror-strays",
            severity="critical",
            what=f"{len(strays)} transcripts lie in files, and the database does not know them",
            why=name_some(strays),
            fix=STRAYS_FIX,
            count=len(strays),
        )


def _tell_mirror(found: dict[Level, list[str]], *, is_running: bool) -> Iterator[DoctorFinding]:
    late = "The gateway writes them in a moment" if is_running else "The next start writes what they lack"
    lagging: tuple[tuple[Level, str], ...] = (("missing", "are missing"), ("behind", "lack their last lines"))
    for level, words in lagging:
        names = found[level]
        if names and not (is_running and level == "behind"):
            yield DoctorFinding(
                code=f"mirror-{level}",
                severity="note",
                what=f"{len(names)} files of the mirror {words}",
                why=name_some(names),
                fix=f"{late}; nothing is lost, since the database holds every word.",
                count=len(names),
            )
    if found["differs"]:
        yield DoctorFinding(
            code="mirror-differs",
            severity="warning",
            what=f"{len(found['differs'])} files of the mirror do not hold what the database says",
            why=name_some(found["differs"]),
            fix="If you changed them by hand, copy your changes away. The next start, or `instar mirror rebuild` while "
            "no gateway runs, keeps such a file as `<name>.conflict.<time>` and writes it anew.",
            count=len(found["differs"]),
        )
