"""Files of the mirror whose rows are gone: words that the database no longer holds and a file still does (LOSS-10).

A session that is deleted takes its file along, so a transcript without a row means that a database was lost, emptied,
or replaced by an older one. The mirror never reads files back (STORE-2); it says where they are and what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from instar.core.lifecycle.archive_name import parse_archive_name
from instar.core.model.ids import SessionId
from instar.stores.mirror_places import MirrorPlaces
from instar.stores.transaction import Transaction
from instar.stores.transcripts import find_transcript

__all__ = ["STRAYS_FIX", "list_transcript_files", "pick_strays"]

STRAYS_FIX: Final = (
    "If the database was replaced by mistake, stop the gateway and put the right one, or a backup, in its place. Else "
    "`instar import openclaw STATE_DIRECTORY --yes` brings these words back, each file as a session of its own."
)
_SUFFIX: Final = ".jsonl"
_NAME_MAX_CHARS: Final = 120


def list_transcript_files(places: MirrorPlaces) -> list[tuple[SessionId, Path]]:
    """Every transcript that lies where the mirror writes, by the session id in its name. Blocking."""
    folders = {*places.state_dir.glob("agents/*/sessions"), places.index(places.default_agent_id).parent}
    files = sorted(path for folder in folders if folder.is_dir() for path in folder.glob(f"*{_SUFFIX}"))
    return [(_read_id(path), path) for path in files if path.is_file() and _tells_id(path.name)]


def pick_strays(tx: Transaction, files: Sequence[tuple[SessionId, Path]]) -> list[Path]:
    """Those of which no row is left."""
    return [path for session_id, path in files if find_transcript(tx, session_id) is None]


def _tells_id(name: str) -> bool:
    """Whether a name is that of a transcript in use and tells its id: a very long id is written in a shorter way."""
    return parse_archive_name(name) is None and len(name) < _NAME_MAX_CHARS


def _read_id(path: Path) -> SessionId:
    return SessionId(unquote(path.name.removesuffix(_SUFFIX).partition("-topic-")[0]))
