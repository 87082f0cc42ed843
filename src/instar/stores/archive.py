"""Archives: a transcript's lines, compressed and read back before anything relies on them (LOSS-8, MAINT-20).

An archive holds exactly the lines that the mirror file would hold, header first, so that
``zstd -d`` gives back a transcript that any reader of the format understands. Behind them, in a frame that
decompressors skip, stands what the lines do not tell: the session's key and row as they were (docs/howto/backup.md).
Where words are stored encrypted the whole file is sealed, under the key of the session's owner; who reads it gives the
`seals` of the store.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256
from io import BytesIO, TextIOWrapper
from pathlib import Path
from struct import Struct
from typing import IO

import msgspec

from instar.config.config import Config
from instar.core.lifecycle.archive_name import ArchiveName, ArchiveReason, format_archive_name
from instar.core.model.change import TranscriptHead
from instar.core.model.fields import format_session, parse_session
from instar.core.model.ids import AgentId, SessionKey
from instar.core.model.session import Session
from instar.errors import NotFound, StoreError, StoreUnreadable
from instar.ports.clock import Clock
from instar.stores.mirror_places import MirrorPlaces
from instar.stores.mirror_rows import load_slice
from instar.stores.sealing.cells import FILE_MARK
from instar.stores.store import SessionStore
from instar.stores.transaction import FileSeals
from instar.stores.transcripts import find_transcript
from instar.system.files import make_private_folder, replace_file, sync_folder

__all__ = [
    "TranscriptArchiver",
    "open_archive",
    "read_archive",
    "read_archive_label",
    "rewrite_archive",
    "seal_archive_file",
    "unseal_archive_file",
]

_MAGIC = (0x184D2A5E).to_bytes(4, "little")
"""Begins a frame that every zstd decompressor skips (RFC 8878, section 3.1.2)."""

_LENGTH = Struct("<I")
_LABEL_MAX_BYTES = 4 * 1024 * 1024

_LEVEL = 10
"""Archives are written once and seldom read; level 10 takes milliseconds per megabyte."""


class TranscriptArchiver:
    """Keeps `instar.gateway.parts.Archiver`: puts archives where the mirror has the session's files."""

    def __init__(self, store: SessionStore, config: Config, *, clock: Clock) -> None:
        self._store = store
        self._places = MirrorPlaces.of(config)
        self._clock = clock

    async def archive(self, head: TranscriptHead, *, reason: ArchiveReason = "deleted") -> str:
        """Write an archive of a transcript and read it back; its path. Raises `NotFound`, `StoreError`, OSError.

        When it raises, no archive is left and nothing may be deleted.
        """
        file = self._places.transcript(head.key, head.session_id)
        writer = await asyncio.to_thread(_Writer, file, reason, self._clock, seals=self._store.engine.seals)
        session = await self._store.load_session(head.key)
        try:
            await self._write_lines(head, writer)
            owner = session.owner if session is not None else None
            path = await asyncio.to_thread(writer.finish, _build_label(head.key, session), key=head.key, owner=owner)
        except BaseException:
            await asyncio.to_thread(writer.discard)
            raise
        return str(path)

    async def _write_lines(self, head: TranscriptHead, writer: _Writer) -> None:
        transcript = await self._store.engine.read(partial(find_transcript, session_id=head.session_id))
        if transcript is None:
            raise NotFound(f"There is no transcript {head.session_id}", why="it was removed meanwhile")
        seq, size = -1, 0
        while lines := await self._store.engine.read(partial(load_slice, transcript=transcript, seq=seq, size=size)):
            size += await asyncio.to_thread(writer.write, [line for _, line in lines])
            seq = lines[-1][0]


class _Writer:
    """One archive while it is written: to a temporary file that takes its name only after it was read back.

    What is to be sealed is gathered in memory, so that no block of the disk ever holds it as it is.
    """

    def __init__(self, file: Path, reason: ArchiveReason, clock: Clock, *, seals: FileSeals | None) -> None:
        import zstandard

        make_private_folder(file.parent)
        self._file = file
        self._reason: ArchiveReason = reason
        self._at = clock.now()
        self._temporary = file.with_name(f".{file.name}.{os.getpid()}.zst.tmp")
        descriptor = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self._out = os.fdopen(descriptor, "wb")
        self._seals = seals
        self._raw: IO[bytes] = self._out if seals is None else BytesIO()
        self._stream = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).stream_writer(
            self._raw, closefd=False
        )
        self._end_frame = zstandard.FLUSH_FRAME
        self._digest = sha256()

    def write(self, lines: list[str]) -> int:
        """Add lines; the bytes they take."""
        text = "".join(f"{line}\n" for line in lines).encode()
        self._stream.write(text)
        self._digest.update(text)
        return len(text)

    def finish(self, label: bytes, *, key: SessionKey, owner: str | None) -> Path:
        """Bring the archive to the disk, read it back, give it its name. Raises `StoreError` when it differs."""
        self._stream.flush(self._end_frame)
        self._raw.write(_frame(label))
        if self._seals is not None and isinstance(self._raw, BytesIO):
            self._out.write(self._seals.seal_archive(self._raw.getvalue(), key=key, owner=owner))
        self._out.flush()
        os.fsync(self._out.fileno())
        self._out.close()
        digest = sha256()
        for line in read_archive(self._temporary, seals=self._seals):
            digest.update(f"{line}\n".encode())
        if digest.digest() != self._digest.digest():
            raise StoreError(
                f"The archive of {self._file.name} could not be read back as it was written",
                why="the disk gave back something else",
                fix="Check the disk. Nothing was deleted.",
            )
        path = self._free_name()
        self._temporary.rename(path)
        sync_folder(path.parent)
        return path

    def discard(self) -> None:
        """Leave nothing behind."""
        self._out.close()
        self._temporary.unlink(missing_ok=True)

    def _free_name(self) -> Path:
        clash = 0
        while True:
            name = ArchiveName(
                file_name=self._file.name, reason=self._reason, at=self._at, clash=clash, is_compressed=True
            )
            path = self._file.with_name(format_archive_name(name))
            if not path.exists():
                return path
            clash += 1


def open_archive(path: Path, *, seals: FileSeals | None) -> IO[bytes]:
    """An archive as it was packed. Raises `StoreUnreadable` for one that is sealed and cannot be opened, OSError."""
    file = path.open("rb")
    is_sealed = file.read(len(FILE_MARK)) == FILE_MARK
    file.seek(0)
    if not is_sealed:
        return file
    with file:
        content = seals.open_archive(file.read()) if seals is not None else None
    if content is None:
        raise StoreUnreadable(
            f"The archive {path.name} is encrypted and cannot be opened",
            why="its key is not in the key ring: it was destroyed when somebody was erased, or is of another store"
            if seals is not None
            else "session.encryption is not set",
            fix="Set session.encryption as it was. What was erased stays erased.",
        )
    return BytesIO(content)


def read_archive(path: Path, *, seals: FileSeals | None = None) -> Iterator[str]:
    """The lines of an archive, without their line ends.

    Raises OSError, `StoreUnreadable`, and zstandard's error for a damaged one.
    """
    import zstandard

    with open_archive(path, seals=seals) as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
        for line in TextIOWrapper(stream, encoding="utf-8", newline="\n"):
            yield line.removesuffix("\n")


def _build_label(key: SessionKey, session: Session | None) -> bytes:
    """What stands behind the lines: whose transcript this was, and its session's row."""
    label: dict[str, object] = {"format": "instar-archive", "version": 1, "key": key}
    if session is not None:
        label |= {"agentId": session.agent_id, "owner": session.owner, "entry": format_session(session)}
    return msgspec.json.encode(label)


def read_archive_label(path: Path, *, seals: FileSeals | None = None) -> Session | None:
    """The session that an archive was made of; None where the archive does not tell. Raises OSError."""
    try:
        with open_archive(path, seals=seals) as file:
            text = _read_label(file)
    except StoreUnreadable:
        return None
    if text is None:
        return None
    try:
        label = msgspec.json.decode(text, type=_Label)
    except msgspec.DecodeError:
        return None
    session = parse_session(label.entry, key=SessionKey(label.key), agent_id=AgentId(label.agentId))
    return None if session is None else replace(session, owner=label.owner)


def _read_label(file: IO[bytes]) -> bytes | None:
    """The frame behind the lines, None for an archive without one."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _LENGTH.size))
    tail = file.read()
    length = _LENGTH.unpack(tail)[0] if len(tail) == _LENGTH.size else 0
    start = size - length - len(_MAGIC) - 2 * _LENGTH.size
    if not 0 < length <= _LABEL_MAX_BYTES or start < 0:
        return None
    file.seek(start)
    frame = file.read(size - start)
    return None if frame[:8] != _MAGIC + _LENGTH.pack(length + _LENGTH.size) else frame[8 : 8 + length]


def rewrite_archive(
    path: Path, lines: Sequence[str], *, clean: Callable[[object], object], seals: FileSeals | None = None
) -> None:
    """Write an archive anew with other lines; what it tells of its session passes through `clean`.

    It is read back before it takes the place of the old one. Raises `StoreError`, OSError; then that is as it was.
    """
    import zstandard

    text = "".join(f"{line}\n" for line in lines).encode()
    packed = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(text)
    with open_archive(path, seals=seals) as file:
        label = _read_label(file)
    if label is not None:
        label = msgspec.json.encode(clean(msgspec.json.decode(label)))
        packed += _frame(label)
    if zstandard.ZstdDecompressor().stream_reader(packed).read() != text:
        raise StoreError(f"The archive {path.name} could not be written anew", why="it was read back as something else")
    replace_file(path, [packed if seals is None else _seal(packed, label, seals)])


def seal_archive_file(path: Path, seals: FileSeals) -> bool:
    """Seal an archive that lies there as it is; False for one that is sealed. Raises OSError."""
    packed = path.read_bytes()
    if packed.startswith(FILE_MARK):
        return False
    replace_file(path, [_seal(packed, _read_label(BytesIO(packed)), seals)])
    return True


def unseal_archive_file(path: Path, seals: FileSeals) -> bool:
    """Open an archive for good; False for one that is not sealed, or cannot be opened. Raises OSError."""
    sealed = path.read_bytes()
    packed = seals.open_archive(sealed) if sealed.startswith(FILE_MARK) else None
    if packed is None:
        return False
    replace_file(path, [packed])
    return True


def _seal(packed: bytes, label: bytes | None, seals: FileSeals) -> bytes:
    """An archive as it is written: under the key of whose it says it is."""
    told = msgspec.json.decode(label, type=_Label) if label is not None else _Label(key="")
    return seals.seal_archive(packed, key=SessionKey(told.key), owner=told.owner)


def _frame(label: bytes) -> bytes:
    """A label as it stands behind the lines."""
    return _MAGIC + _LENGTH.pack(len(label) + _LENGTH.size) + label + _LENGTH.pack(len(label))


class _Label(msgspec.Struct):
    """The label as it is written; the names are those of the file."""

    key: str
    agentId: str = "main"  # noqa: N815 - the name in the file
    owner: str | None = None
    entry: dict[str, object] = {}
