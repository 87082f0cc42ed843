"""One folder per session key: ``session.json`` and ``transcript.jsonl``, copies of what is current there (STORE-9).

They follow the rows as the mirror's other files do, and beside them. A transcript is appended to; one that began anew
takes the place of the one before, whose file the mirror keeps elsewhere. A copy that another hand has changed is set
aside (STORE-5). A session that is removed takes its folder along.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import structlog

from instar.config.paths import resolve_store_path
from instar.core.model.fields import format_session
from instar.core.model.ids import SessionId, SessionKey
from instar.core.model.session import Session
from instar.ports.clock import Clock
from instar.stores.known import TranscriptRow
from instar.stores.mirror_files import Comparison, Mark, append_lines, is_as_left, set_aside
from instar.stores.mirror_rows import load_slice
from instar.stores.rows import write_header
from instar.stores.store import SessionStore
from instar.stores.transaction import Transaction
from instar.stores.transcripts import find_transcript
from instar.system.files import make_private_folder, replace_file
from instar.system.log_events import MIRROR_CONFLICT

__all__ = ["KeyFolders", "find_keys"]

ENTRY_NAME: Final = "session.json"
TRANSCRIPT_NAME: Final = "transcript.jsonl"

log = structlog.get_logger(__name__)


def find_keys(tx: Transaction, session_ids: Sequence[SessionId]) -> set[SessionKey]:
    """The keys of transcripts that are there."""
    found = (find_transcript(tx, session_id) for session_id in session_ids)
    return {transcript.head.key for transcript in found if transcript is not None}


class KeyFolders:
    """Writes the folders of keys that were touched. Belongs to one mirror."""

    def __init__(self, store: SessionStore, state_dir: Path, *, clock: Clock) -> None:
        self._store = store
        self._state_dir = state_dir
        self._clock = clock
        self._marks: dict[SessionKey, tuple[SessionId, Mark]] = {}
        self._touched: set[SessionKey] = set()

    def touch(self, keys: Iterable[SessionKey]) -> None:
        """Note keys whose folders are to be looked at."""
        self._touched |= set(keys)

    async def write(self) -> None:
        """Bring the folders of all touched keys level. Raises OSError, `StoreError`; what is not done stays noted."""
        for key in sorted(self._touched):
            await self._write_one(key)
            self._touched.discard(key)

    async def _write_one(self, key: SessionKey) -> None:
        folder = resolve_store_path(self._state_dir, key)
        session = await self._store.load_session(key)
        if session is None:
            self._marks.pop(key, None)
            await asyncio.to_thread(_remove, folder)
            return
        await asyncio.to_thread(_save_entry, folder, session)
        transcript = await self._store.engine.read(partial(find_transcript, session_id=session.session_id))
        if transcript is not None:
            self._marks[key] = (session.session_id, await self._follow(key, transcript, folder / TRANSCRIPT_NAME))

    async def _follow(self, key: SessionKey, transcript: TranscriptRow, path: Path) -> Mark:
        """Append what the copy lacks; how it is then."""
        session_id, mark = self._marks.get(key, (None, None))
        if mark is None or session_id != transcript.head.session_id or not await asyncio.to_thread(is_as_left, mark):
            mark = await self._compare(transcript, path)
        seq, size = (mark.seq, mark.size) if mark is not None else (-1, 0)
        while lines := await self._slice(transcript, seq=seq, size=size):
            mark = await asyncio.to_thread(append_lines, path, [line for _, line in lines], seq=lines[-1][0])
            seq, size = mark.seq, mark.size
        if mark is None:
            return await asyncio.to_thread(append_lines, path, [], seq=-1)
        return mark

    async def _compare(self, transcript: TranscriptRow, path: Path) -> Mark | None:
        """How far a copy holds the lines of a transcript; None when there is nothing to go on from."""
        if not await asyncio.to_thread(_is_of, path, write_header(transcript.head.header)):
            await asyncio.to_thread(path.unlink, missing_ok=True)
            return None
        comparison = await asyncio.to_thread(Comparison, path)
        try:
            seq, size = -1, 0
            while lines := await self._slice(transcript, seq=seq, size=size):
                count = await asyncio.to_thread(comparison.take, [line for _, line in lines])
                if count is None:
                    break
                seq = lines[count - 1][0] if count else seq
                if count < len(lines):
                    return await asyncio.to_thread(comparison.cut, seq=seq)
                size += sum(len(line.encode()) + 1 for _, line in lines)
            else:
                if not await asyncio.to_thread(comparison.has_more):
                    return await asyncio.to_thread(comparison.cut, seq=seq)
        finally:
            comparison.close()
        kept = await asyncio.to_thread(set_aside, path, self._clock.now())
        log.warning(MIRROR_CONFLICT, path=str(path), kept=str(kept))
        return None

    async def _slice(self, transcript: TranscriptRow, *, seq: int, size: int) -> Sequence[tuple[int, str]]:
        return await self._store.engine.read(partial(load_slice, transcript=transcript, seq=seq, size=size))


def _is_of(path: Path, header: str) -> bool:
    """Whether a copy begins as this transcript does; another one's is a life that is over."""
    try:
        with path.open("rb") as file:
            return file.readline() == f"{header}\n".encode()
    except FileNotFoundError:
        return False


def _save_entry(folder: Path, session: Session) -> None:
    content = msgspec.json.format(msgspec.json.encode(format_session(session)), indent=2) + b"\n"
    path = folder / ENTRY_NAME
    make_private_folder(folder)
    if not path.is_file() or path.read_bytes() != content:
        replace_file(path, [content])


def _remove(folder: Path) -> None:
    """Take the copies away, and the folder where nothing else lies in it."""
    for name in (ENTRY_NAME, TRANSCRIPT_NAME):
        (folder / name).unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
