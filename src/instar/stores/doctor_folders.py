"""Whether a transcript's file, and the folder of a session key, hold what the rows say (STORE-4, STORE-9). Only read.

What belongs here: how one file stands. What does not: which files there are to be, and what is told of them
(`doctor_mirror`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from instar.config.paths import resolve_store_path
from instar.core.model.ids import SessionId, SessionKey
from instar.stores.doctor_finding import DoctorFinding, tell_names
from instar.stores.mirror_files import Comparison
from instar.stores.mirror_folders import (
    ENTRY_NAME,
    TRANSCRIPT_NAME,
    holds_other_life,
    is_entry_as_left,
    list_folders,
    write_entry,
)
from instar.stores.mirror_rows import list_mirrored, load_slice
from instar.stores.sessions import load_session
from instar.stores.transaction import Transaction
from instar.stores.transcripts import find_transcript

__all__ = ["Level", "compare_folders", "compare_transcript", "tell_left_folders"]

Level = Literal["level", "behind", "missing", "differs"]
"""How a file of the mirror stands: as its rows, a beginning of them, not there, something else."""


def compare_folders(tx: Transaction, state_dir: Path, *, is_running: bool) -> Iterator[tuple[Path, Level]]:
    """How both files of every session's folder stand."""
    after = 0
    while listed := list_mirrored(tx, after=after):
        after = listed[-1].place
        for one in listed:
            if one.closed_at is None:
                folder = resolve_store_path(state_dir, one.key)
                yield folder / ENTRY_NAME, _compare_entry(tx, one.key, folder / ENTRY_NAME, is_running=is_running)
                path = folder / TRANSCRIPT_NAME
                yield path, _compare_copy(tx, one.session_id, path, is_running=is_running)


def tell_left_folders(tx: Transaction, state_dir: Path, *, is_running: bool) -> Iterator[DoctorFinding]:
    """Folders that the mirror wrote for sessions that are gone; a running gateway is about to remove them."""
    gone = (resolve_store_path(state_dir, key) for key in list_folders(tx) if load_session(tx, key) is None)
    left = [str(folder) for folder in gone if (folder / ENTRY_NAME).exists() or (folder / TRANSCRIPT_NAME).exists()]
    if left and not is_running:
        yield tell_names(
            "folder-left",
            "note",
            left,
            one="folder belongs to a session that was removed",
            many="folders belong to sessions that were removed",
            fix="The next start removes what the mirror wrote there.",
        )


def _compare_entry(tx: Transaction, key: SessionKey, path: Path, *, is_running: bool) -> Level:
    """How an entry stands; a running gateway may have written it after our snapshot, so only at rest it can differ."""
    session = load_session(tx, key)
    if session is None:
        return "level"
    try:
        if path.read_bytes() == write_entry(session):
            return "level"
    except FileNotFoundError:
        return "missing"
    return "behind" if is_running or is_entry_as_left(tx, key, path) else "differs"


def _compare_copy(tx: Transaction, session_id: SessionId, path: Path, *, is_running: bool) -> Level:
    """How a copy stands; one of the life before is only late."""
    level = compare_transcript(tx, session_id, path, is_running=is_running)
    return "behind" if level == "differs" and holds_other_life(tx, path) else level


def compare_transcript(tx: Transaction, session_id: SessionId, path: Path, *, is_running: bool) -> Level:
    """How a file stands to its transcript; beside a running gateway it may hold lines that came after our snapshot."""
    transcript = find_transcript(tx, session_id)
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
