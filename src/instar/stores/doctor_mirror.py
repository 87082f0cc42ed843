"""Whether the mirror's files hold what the rows say, and what lies there that no row knows (STORE-4). Only read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import apsw

from instar.config.config import Config
from instar.stores.doctor_finding import DoctorFinding, tell_names
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

_Words = tuple[str, str, str]
"""What is told of one file, of several, and what to do."""

_TRANSCRIPTS: Final[Mapping[Level, _Words]] = {
    "missing": (
        "file of the mirror is missing",
        "files of the mirror are missing",
        "nothing is lost, since the database holds every word.",
    ),
    "behind": (
        "file of the mirror lacks its last lines",
        "files of the mirror lack their last lines",
        "nothing is lost, since the database holds every word.",
    ),
    "differs": (
        "file of the mirror does not hold what the database says",
        "files of the mirror do not hold what the database says",
        (
            "If you changed it by hand, copy your changes away. The next start, or `instar mirror rebuild` while no "
            "gateway runs, keeps such a file as `<name>.conflict.<time>` and writes it anew."
        ),
    ),
}

_LISTS: Final[Mapping[Level, _Words]] = {
    "missing": (
        "list of sessions is missing",
        "lists of sessions are missing",
        "nothing is lost, since the database holds every session.",
    ),
    "behind": (
        "list of sessions is older than the database",
        "lists of sessions are older than the database",
        "nothing is lost, since the database holds every session.",
    ),
    "differs": (
        "list of sessions does not hold what the database says",
        "lists of sessions do not hold what the database says",
        (
            "Nobody reads such a list back; `instar sessions patch` changes a session. If you changed it by hand, copy "
            "your changes away; the next rewrite keeps it as `sessions.json.conflict.<time>`."
        ),
    ),
}


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
    yield from _tell_files("mirror", found, _TRANSCRIPTS, is_running=is_running)
    yield from _check_indices(tx, places, old_home, is_running=is_running)
    yield from _tell_strays(path for files in walk_transcript_files(places) for path in pick_strays(tx, files).files)


def _check_indices(
    tx: SqliteTransaction, places: MirrorPlaces, old_home: Path | None, *, is_running: bool
) -> Iterator[DoctorFinding]:
    """Lists of sessions that do not say what the rows say (STORE-3)."""
    agents = list_agents(tx)
    written = {take_home(path, old_home, places) for path in list_written_indices(tx)}
    found: dict[Level, list[str]] = {"missing": [], "behind": [], "differs": []}
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
    yield from _tell_files("index", found, _LISTS, is_running=is_running)


def check_lost_words(config: Config) -> Iterator[DoctorFinding]:
    """What the mirror holds where there is no database, or one without a single row: all that is left of the words."""
    yield from _tell_strays(path for files in walk_transcript_files(MirrorPlaces.of(config)) for _, path in files)


def _tell_strays(paths: Iterable[Path]) -> Iterator[DoctorFinding]:
    strays = [str(stray) for stray in sorted(paths) if not is_archived(stray)]
    if strays:
        yield tell_names(
            "mirror-strays",
            "critical",
            strays,
            one="transcript lies in a file, and the database does not know it",
            many="transcripts lie in files, and the database does not know them",
            fix=STRAYS_FIX,
        )


def _tell_files(
    kind: str, found: Mapping[Level, list[str]], told: Mapping[Level, _Words], *, is_running: bool
) -> Iterator[DoctorFinding]:
    """What is missing or late is written anew by itself; what somebody else wrote is for a person to look at."""
    soon = "The gateway writes that in a moment" if is_running else "The next start writes that"
    for level in ("missing", "behind"):
        if found[level] and not (is_running and level == "behind"):
            one, many, fix = told[level]
            fix = f"{soon}; {fix}"
            yield tell_names(f"{kind}-{level}", "note", found[level], one=one, many=many, fix=fix)
    if found["differs"]:
        one, many, fix = told["differs"]
        yield tell_names(f"{kind}-differs", "warning", found["differs"], one=one, many=many, fix=fix)
