"""Importing one transcript file of version 1, 2 or 3, without losing a word of it (STORE-6).

The file is read, never changed. What cannot be read is set aside and reported with its line number, the rest is
stored; reading is the affair of `instar.core.transcript.reading`. A line that another program may have written in a
careless spelling is read as far as sense can be made of it: JSON5, halves of characters, bytes that are no UTF-8.
Importing a file twice adds nothing.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import IO, Final

import msgspec

from instar.core.model.decision import Decision
from instar.core.model.entry import AnyEntry, Header
from instar.core.model.ids import AgentId, Instant, SessionId, SessionKey
from instar.core.transcript.reading import Finding, TranscriptReading, read_transcript
from instar.core.turn.imported import build_imported_session, find_unknown_level
from instar.errors import StoreUnreadable, TranscriptError
from instar.ports.store import Store
from instar.stores.archive import open_archive
from instar.stores.transaction import FileSeals

__all__ = [
    "ImportLimits",
    "ImportReport",
    "TranscriptFile",
    "describe_findings",
    "read_transcript_file",
    "store_transcript_file",
]

FINDINGS_MAX: Final = 100
"""Findings that are told one by one; a file with more is told by their number."""

_CHUNK: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportLimits:
    """How much is read. A line that is longer or nested deeper counts as unreadable; a larger file is refused.

    `fix` is what to do with a larger one.
    """

    file_bytes: int = 1024 * 1024 * 1024
    line_bytes: int = 64 * 1024 * 1024
    depth: int = 200
    id_chars: int = 200
    fix: str = "Cut it into several files, each with the header line first."


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptFile:
    """What a file holds. `repaired_lines` are those in which something was no proper text, counted from 1."""

    path: Path
    header: Header
    entries: tuple[AnyEntry, ...]
    from_version: int
    findings: tuple[Finding, ...] = ()
    repaired_lines: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What became of a file. `stored` is False when its session id was stored before."""

    file: TranscriptFile
    key: SessionKey
    stored: bool


async def store_transcript_file(
    store: Store, file: TranscriptFile, *, key: SessionKey, agent_id: AgentId, now: Instant
) -> ImportReport:
    """Store a file's transcript under a session key: as its session, or in the history of the one it has."""
    decision = Decision(
        kind="import",
        outcome="imported",
        rule="STORE-6",
        inputs={
            "file": file.path.name,
            "version": file.from_version,
            "entries": len(file.entries),
            "findings": len(file.findings),
        },
    )
    # In a thread: looking over 100,000 entries takes a fifth of a second.
    session = await asyncio.to_thread(build_imported_session, file.header, file.entries, key=key, agent_id=agent_id)
    stored = await store.import_transcript(session, file.header, file.entries, now=now, decision=decision)
    return ImportReport(file=file, key=key, stored=stored)


def read_transcript_file(path: Path, limits: ImportLimits, *, seals: FileSeals | None = None) -> TranscriptFile:
    """What a file holds, for imports and for looking before; `seals` opens an encrypted archive.

    Raises `TranscriptError`. Blocking.
    """
    try:
        size = path.stat().st_size
        if size > limits.file_bytes:
            raise TranscriptError(
                f"{path} is too large to import",
                why=f"it has {size} bytes, and at most {limits.file_bytes} are read",
                fix=limits.fix,
            )
        with _open(path, limits, seals) as file:
            lines = _Lines(file, limits)
            reading = read_transcript(lines, lines.decode)
    except OSError as error:
        raise TranscriptError(
            f"{path} cannot be read", why=error.strerror or str(error), fix="Check the path and who may read the file."
        ) from error
    if reading.header is None and not reading.entries:
        raise TranscriptError(
            f"{path} holds no transcript",
            why="no line of it is a header or an entry",
            fix="Give a file of JSON lines whose first line has the type `session`.",
        )
    return TranscriptFile(
        path=path,
        header=_header_of(reading, path, limits, digest=lines.digest()),
        entries=reading.entries,
        from_version=reading.from_version,
        findings=reading.findings,
        repaired_lines=tuple(lines.repaired),
    )


def describe_findings(file: TranscriptFile, *, with_settings: bool = True) -> tuple[str, ...]:
    """What was amiss, line by line; `with_settings` where the session takes its settings from the entries, too."""
    told = [(finding.line, finding.detail) for finding in file.findings]
    told += [(line, "Something in it was no proper text and was mended.") for line in file.repaired_lines]
    unknown = find_unknown_level(file.entries) if with_settings else None
    told += [(0, f"The thinking level {unknown[:60]!r} is none and was left out.")] if unknown else []
    told.sort()
    shown = [f"line {line}: {detail}" if line else detail for line, detail in told[:FINDINGS_MAX]]
    rest = len(told) - len(shown)
    return (*shown, f"and {rest} more") if rest else tuple(shown)


def _open(path: Path, limits: ImportLimits, seals: FileSeals | None) -> IO[bytes]:
    """A transcript as it lies there; an archive is unpacked first. Raises `TranscriptError`, OSError."""
    if path.suffix != ".zst":
        return path.open("rb")
    import zstandard

    # Whoever reads it closes it. What is stored encrypted is on no disk as it is.
    plain: IO[bytes] = tempfile.TemporaryFile() if seals is None else BytesIO()  # noqa: SIM115
    try:
        # What was written behind the first frame is no part of the transcript (`instar.stores.archive`).
        with open_archive(path, seals=seals) as raw, zstandard.ZstdDecompressor().stream_reader(raw) as stream:
            while chunk := stream.read(_CHUNK):
                plain.write(chunk)
                if plain.tell() > limits.file_bytes:
                    raise TranscriptError(
                        f"{path} is too large to import",
                        why=f"it unpacks to more than {limits.file_bytes} bytes",
                        fix=limits.fix,
                    )
    except (TranscriptError, StoreUnreadable):
        plain.close()
        raise
    except zstandard.ZstdError as error:
        plain.close()
        raise TranscriptError(
            f"{path} cannot be unpacked", why=str(error), fix="It is damaged; use another copy of it."
        ) from error
    plain.seek(0)
    return plain


def _header_of(reading: TranscriptReading, path: Path, limits: ImportLimits, *, digest: str) -> Header:
    """The header; a file without one gets an id from its words, so that it is known when it comes again."""
    header = reading.header
    if header is None:
        first = next((entry.timestamp for entry in reading.entries if entry.timestamp is not None), None)
        return Header(id=SessionId(f"imported-{digest[:32]}"), timestamp=first)
    if not header.id or len(header.id) > limits.id_chars:
        raise TranscriptError(
            f"{path} has no usable session id",
            why=f"its id has {len(header.id)} characters, and 1 to {limits.id_chars} are allowed",
            fix="Write a UUID into the `id` of the first line of a copy, and import that.",
            line=1,
        )
    return header


class _Lines:
    """The lines of a file, and how each is decoded."""

    def __init__(self, file: IO[bytes], limits: ImportLimits) -> None:
        self._file = file
        self._limits = limits
        self._number = 0
        self._hash = sha256()
        self.repaired: list[int] = []

    def __iter__(self) -> Iterator[bytes]:
        while line := self._file.readline(self._limits.line_bytes + 1):
            self._number += 1
            self._hash.update(line)
            yield line
            while len(line) > self._limits.line_bytes and not line.endswith(b"\n"):
                line = self._file.readline(self._limits.line_bytes + 1)

    def digest(self) -> str:
        """A digest of what was read."""
        return self._hash.hexdigest()

    def decode(self, text: bytes) -> object:
        """The value of a line. Raises ValueError."""
        if len(text) >= self._limits.line_bytes:
            msg = f"it is longer than {self._limits.line_bytes} bytes"
            raise ValueError(msg)
        try:
            value: object = msgspec.json.decode(text)
        except ValueError:
            value = self._decode_careless(text)
        # Only a line with so many brackets can be nested so deep.
        if text.count(b"[") + text.count(b"{") > self._limits.depth and _depth(value) > self._limits.depth:
            msg = f"it is nested deeper than {self._limits.depth}"
            raise ValueError(msg)
        return value

    def _decode_careless(self, text: bytes) -> object:
        """The value of a line in which something is amiss but sense can be made of it. Raises ValueError."""
        import pyjson5

        words = text.decode("utf-8", "replace")
        try:
            value: object = json.loads(words)
        except ValueError:
            try:
                value = pyjson5.loads(words)
            except pyjson5.Json5Exception as error:
                raise ValueError(str(error)) from error
        self.repaired.append(self._number)
        return _repair(value)


_HALVES: Final = dict.fromkeys(range(55296, 57344), "�")
"""Halves of characters, which JavaScript writes when it cuts a text in the middle of one; no store takes them."""


def _repair(value: object) -> object:
    """The value with every text encodable and every number finite."""
    if isinstance(value, str):
        return value.translate(_HALVES)
    if isinstance(value, dict):
        return {str(name).translate(_HALVES): _repair(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_repair(part) for part in value]
    if isinstance(value, float) and value - value != 0:
        return None
    return value


def _depth(value: object) -> int:
    """How deep a value is nested; without recursion."""
    level, depth = [value], 0
    while level:
        depth += 1
        level = [
            part
            for outer in level
            if isinstance(outer, (dict, list))
            for part in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(part, (dict, list))
        ]
    return depth
