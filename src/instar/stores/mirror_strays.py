"""Files that bear the name of a current transcript and are none's: whose rows are gone, or whose life has ended.

A session that is deleted takes its file along, so a transcript without a row means that a database was lost, emptied,
or replaced by an older one: words that the database no longer holds and a file still does (LOSS-10). The mirror never
reads files back (STORE-2); it says where they are and what to do. Only a process that dies in between leaves the file
of a deleted session; it is told by the verified archive beside it, which holds every word of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from instar.core.lifecycle.archive_name import parse_archive_name
from instar.core.model.ids import SessionId
from instar.errors import StoreUnreadable
from instar.stores.archive import read_archive
from instar.stores.mirror_files import Comparison, find_archives
from instar.stores.mirror_places import MirrorPlaces
from instar.stores.transaction import Transaction
from instar.stores.transcripts import find_transcript

__all__ = ["STRAYS_FIX", "Strays", "is_archived", "pick_strays", "walk_transcript_files"]

STRAYS_FIX: Final = (
    "If the database was replaced by mistake, stop the gateway and put the right one, or a backup, in its place. Else "
    "`instar import openclaw STATE_DIRECTORY --yes` brings these words back, each file as a session of its own."
)
_SUFFIX: Final = ".jsonl"
_NAME_MAX_CHARS: Final = 120

_FILES: Final = 500
"""Files looked up at once."""

_LINES: Final = 500
"""Lines of an archive compared at once."""


def walk_transcript_files(places: MirrorPlaces) -> Iterator[Sequence[tuple[SessionId, Path]]]:
    """Every transcript that lies where the mirror writes, by the session id in its name, some at a time. Blocking.

    In no order, and never all at once: there may be a hundred thousand, and a path is a large object.
    """
    folders = {*places.state_dir.glob("agents/*/sessions"), places.index(places.default_agent_id).parent}
    found = (Path(entry.path) for folder in sorted(folders) if folder.is_dir() for entry in _list_files(folder))
    while some := [*islice(found, _FILES)]:
        yield [(_read_id(path), path) for path in some]


def _list_files(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(_SUFFIX) and _tells_id(entry.name) and entry.is_file():
                yield entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Strays:
    """What bears the name of a current transcript and is none's: files without a row, and lives that have ended."""

    files: Sequence[Path]
    closed: Mapping[SessionId, Path]


def pick_strays(tx: Transaction, files: Sequence[tuple[SessionId, Path]]) -> Strays:
    """Those of which no row is left, and those whose transcript is closed."""
    lost: list[Path] = []
    closed: dict[SessionId, Path] = {}
    for session_id, path in files:
        transcript = find_transcript(tx, session_id)
        if transcript is None:
            lost.append(path)
        elif transcript.head.closed_at is not None:
            closed[session_id] = path
    return Strays(files=lost, closed=closed)


def is_archived(path: Path) -> bool:
    """Whether a verified archive beside a file holds all that stands in it. Blocking; raises OSError."""
    return any(_holds(archive, path) for archive in find_archives(path))


def _holds(archive: Path, path: Path) -> bool:
    import zstandard

    comparison = Comparison(path)
    try:
        lines = read_archive(archive)
        while some := [*islice(lines, _LINES)]:
            count = comparison.take(some)
            if count is None or count < len(some):
                return count is not None
        return not comparison.has_more()
    except (StoreUnreadable, UnicodeDecodeError, zstandard.ZstdError):
        return False  # an archive that cannot be read holds nothing
    finally:
        comparison.close()


def _tells_id(name: str) -> bool:
    """Whether a name is that of a transcript in use and tells its id: a very long id is written in a shorter way."""
    return parse_archive_name(name) is None and len(name) < _NAME_MAX_CHARS


def _read_id(path: Path) -> SessionId:
    return SessionId(unquote(path.name.removesuffix(_SUFFIX).partition("-topic-")[0]))
