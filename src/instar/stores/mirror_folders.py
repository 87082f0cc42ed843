"""One folder per session key: ``session.json`` and ``transcript.jsonl``, copies of what is current there (STORE-9).

They follow the rows as the mirror's other files do, and beside them. A transcript is appended to; one that began anew
takes the place of the one before, whose file the mirror keeps elsewhere. A copy that another hand has changed is set
aside (STORE-4). A session that is removed takes its folder along, at the next start where a crash came in between.
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
from instar.stores.mirror_files import Comparison, Mark, append_lines, is_as_left, read_mark, set_aside
from instar.stores.mirror_index import take_place
from instar.stores.mirror_rows import load_mark, load_slice, save_marks
from instar.stores.store import SessionStore
from instar.stores.transaction import Transaction
from instar.stores.transcripts import find_transcript
from instar.system.files import make_private_folder, replace_file
from instar.system.log_events import MIRROR_CONFLICT

__all__ = [
    "ENTRY_NAME",
    "TRANSCRIPT_NAME",
    "KeyFolders",
    "find_keys",
    "holds_other_life",
    "is_entry_as_left",
    "list_folders",
    "write_entry",
]

ENTRY_NAME: Final = "session.json"
TRANSCRIPT_NAME: Final = "transcript.jsonl"

_NEW_SUFFIX: Final = ".new"
"""An entry that is about to take the place of the one before."""

log = structlog.get_logger(__name__)


def find_keys(tx: Transaction, session_ids: Sequence[SessionId]) -> set[SessionKey]:
    """The keys of transcripts that are there."""
    found = (find_transcript(tx, session_id) for session_id in session_ids)
    return {transcript.head.key for transcript in found if transcript is not None}


def list_folders(tx: Transaction) -> list[SessionKey]:
    """The keys whose folders the mirror has written and not yet taken away."""
    return [SessionKey(row[0]) for row in tx.all("list_folder_marks", {})]


def write_entry(session: Session) -> bytes:
    """What ``session.json`` says of a session."""
    entry = {**format_session(session), "sessionFile": TRANSCRIPT_NAME}
    return msgspec.json.format(msgspec.json.encode(entry), indent=2) + b"\n"


def is_entry_as_left(tx: Transaction, key: SessionKey, path: Path) -> bool:
    """Whether nobody else has changed a ``session.json``. Blocking; raises OSError."""
    return read_mark(path, 0) in [load_mark(tx, owner) for owner in _owners(key)]


def holds_other_life(tx: Transaction, path: Path) -> bool:
    """Whether a copy is of another transcript, whose rows hold every word of it. Blocking; raises OSError."""
    with path.open("rb") as file:
        session_id = _read_id(file.readline())
    transcript = find_transcript(tx, session_id) if session_id is not None else None
    if transcript is None:
        return False
    comparison = Comparison(path)
    try:
        seq, size = -1, 0
        while lines := load_slice(tx, transcript, seq=seq, size=size):
            count = comparison.take([line for _, line in lines])
            if count is None or count < len(lines):
                return count is not None
            seq, size = lines[-1][0], size + sum(len(line.encode()) + 1 for _, line in lines)
        return not comparison.has_more()
    finally:
        comparison.close()


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
            await self._store.engine.write(lambda tx: save_marks(tx, dict.fromkeys(_owners(key))))
            return
        await self._save_entry(folder, session)
        transcript = await self._store.engine.read(partial(find_transcript, session_id=session.session_id))
        if transcript is not None:
            self._marks[key] = (session.session_id, await self._follow(key, transcript, folder / TRANSCRIPT_NAME))

    async def _save_entry(self, folder: Path, session: Session) -> None:
        """Write an entry anew where it says something else; one that another hand has changed is kept beside."""
        path, content = folder / ENTRY_NAME, write_entry(session)
        if await asyncio.to_thread(_read, path) == content:
            if not await self._store.engine.read(partial(is_entry_as_left, key=session.key, path=path)):
                mark = await asyncio.to_thread(read_mark, path, 0)
                await self._store.engine.write(lambda tx: save_marks(tx, {_owners(session.key)[1]: mark}))
            return
        temporary = path.with_name(f"{path.name}{_NEW_SUFFIX}")
        await asyncio.to_thread(make_private_folder, folder)
        await asyncio.to_thread(replace_file, temporary, [content])
        now = self._clock.now()
        kept = await take_place(self._store, temporary, path, owners=_owners(session.key), now=now)
        if kept is not None:
            log.warning(MIRROR_CONFLICT, path=str(path), kept=str(kept))

    async def _follow(self, key: SessionKey, transcript: TranscriptRow, path: Path) -> Mark:
        """Append what the copy lacks; how it is then."""
        session_id, mark = self._marks.get(key, (None, None))
        if mark is None or not await asyncio.to_thread(is_as_left, mark):
            mark = await self._compare(transcript, path)
        elif session_id != transcript.head.session_id:
            await asyncio.to_thread(path.unlink, missing_ok=True)
            mark = None
        seq, size = (mark.seq, mark.size) if mark is not None else (-1, 0)
        while lines := await self._slice(transcript, seq=seq, size=size):
            mark = await asyncio.to_thread(append_lines, path, [line for _, line in lines], seq=lines[-1][0])
            seq, size = mark.seq, mark.size
        if mark is None:
            return await asyncio.to_thread(append_lines, path, [], seq=-1)
        return mark

    async def _compare(self, transcript: TranscriptRow, path: Path) -> Mark | None:
        """How far a copy holds the lines of a transcript; None when there is nothing to go on from."""
        try:
            comparison = await asyncio.to_thread(Comparison, path)
        except FileNotFoundError:
            return None
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
        if await self._store.engine.read(partial(holds_other_life, path=path)):
            await asyncio.to_thread(path.unlink, missing_ok=True)
            return None
        kept = await asyncio.to_thread(set_aside, path, self._clock.now())
        log.warning(MIRROR_CONFLICT, path=str(path), kept=str(kept))
        return None

    async def _slice(self, transcript: TranscriptRow, *, seq: int, size: int) -> Sequence[tuple[int, str]]:
        return await self._store.engine.read(partial(load_slice, transcript=transcript, seq=seq, size=size))


def _owners(key: SessionKey) -> tuple[str, str]:
    """Under which names it is stored how the last two rewrites left a ``session.json``."""
    return f"folder left {key}", f"folder meant {key}"


def _read_id(line: bytes) -> SessionId | None:
    """Whose transcript a first line begins; None where it is none."""
    try:
        header = msgspec.json.decode(line, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    session_id = header.get("id")
    return SessionId(session_id) if isinstance(session_id, str) else None


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _remove(folder: Path) -> None:
    """Take the copies away, and the folder where nothing else lies in it."""
    for name in (ENTRY_NAME, TRANSCRIPT_NAME, f"{ENTRY_NAME}{_NEW_SUFFIX}"):
        (folder / name).unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
