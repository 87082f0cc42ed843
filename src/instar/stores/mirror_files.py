"""What the mirror does to files: append, rename, compare, set aside (STORE-3, STORE-4). Blocking; run off the loop.

Files belong to people too: they may be edited, touched, copied back. A file is appended to only while its size and
time are those that the mirror left; otherwise its content is compared with the rows. A part of what should be there
is a write that was cut off, and goes on; anything else is another hand's work, and is kept beside under another name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from instar.core.lifecycle.archive_name import ArchiveName, format_archive_name, format_file_time
from instar.core.model.ids import Instant
from instar.system.files import make_private_folder

__all__ = [
    "Comparison",
    "Mark",
    "append_lines",
    "delete_transcript_file",
    "find_archives",
    "is_as_left",
    "read_mark",
    "rename_transcript_file",
    "set_aside",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A file as the mirror left it: the last line in it, its size, and when it was changed, by the file system."""

    path: Path
    seq: int
    size: int
    changed_ns: int


def read_mark(path: Path, seq: int) -> Mark | None:
    """The mark of a file as it lies there, None if it does not. Raises OSError."""
    try:
        facts = path.stat()
    except FileNotFoundError:
        return None
    return Mark(path=path, seq=seq, size=facts.st_size, changed_ns=facts.st_mtime_ns)


def is_as_left(mark: Mark) -> bool:
    """Whether nobody else has changed the file. Raises OSError."""
    return read_mark(mark.path, mark.seq) == mark


def append_lines(path: Path, lines: Sequence[str], *, seq: int) -> Mark:
    """Put lines at the end of a file, which is made if it is missing; its mark then. Raises OSError.

    A disk that fills up in between leaves a part of a line; the next comparison cuts it off.
    """
    make_private_folder(path.parent)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "ab") as file:
        file.write("".join(f"{line}\n" for line in lines).encode())
        file.flush()
        facts = os.fstat(file.fileno())
    return Mark(path=path, seq=seq, size=facts.st_size, changed_ns=facts.st_mtime_ns)


def set_aside(path: Path, now: Instant) -> Path | None:
    """Keep a file that another hand has changed: ``<name>.conflict.<time>``; where, None if there was none."""
    kept = _free(path, f"conflict.{format_file_time(now)}")
    try:
        path.rename(kept)
    except FileNotFoundError:
        return None
    return kept


def rename_transcript_file(old: Path, new: Path, now: Instant) -> bool:
    """Rename a transcript's file when its life ends or is taken up again; False when there was none.

    What stands in the way under the new name is kept aside.
    """
    if not old.exists():
        return False
    set_aside(new, now)
    make_private_folder(new.parent)
    old.rename(new)
    return True


def delete_transcript_file(path: Path, now: Instant) -> None:
    """Let go of a file whose rows were removed: keep it as deleted, unless a verified archive of it lies there."""
    file_name = path.name.partition(".reset.")[0]
    if next(find_archives(path), None) is not None:
        path.unlink(missing_ok=True)
        return
    clash = 0
    while True:
        name = ArchiveName(file_name=file_name, reason="deleted", at=now, clash=clash)
        kept = path.with_name(format_archive_name(name))
        if not kept.exists():
            break
        clash += 1
    if path.exists():
        path.rename(kept)


def find_archives(path: Path) -> Iterator[Path]:
    """The verified archives of a transcript that lie beside its file. Blocking."""
    return path.parent.glob(f"{_literal(path.name.partition('.reset.')[0])}*.deleted.*.zst")


def _free(path: Path, suffix: str) -> Path:
    """A name beside `path` that is not taken."""
    clash, name = 0, f"{path.name}.{suffix}"
    while (free := path.with_name(name)).exists():
        clash += 1
        name = f"{path.name}-{clash}.{suffix}"
    return free


def _literal(name: str) -> str:
    """A file name as a pattern that matches itself."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


class Comparison:
    """Compares a file with the lines that should be in it, slice by slice. Close it when done."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO = path.open("rb")
        self._good_bytes = 0

    def take(self, lines: Sequence[str]) -> int | None:
        """How many of these lines the file holds next, in order; None when it holds something else instead."""
        for count, line in enumerate(lines):
            expected = f"{line}\n".encode()
            found = self._file.read(len(expected))
            if found != expected:
                return count if expected.startswith(found) else None
            self._good_bytes += len(expected)
        return len(lines)

    def has_more(self) -> bool:
        """Whether the file holds more than the lines that were taken."""
        return bool(self._file.read(1))

    def cut(self, *, seq: int) -> Mark:
        """Cut off what a dying process left of a line; the mark of the file then. Raises OSError."""
        self._file.close()
        if self._path.stat().st_size > self._good_bytes:
            os.truncate(self._path, self._good_bytes)
        facts = self._path.stat()
        return Mark(path=self._path, seq=seq, size=facts.st_size, changed_ns=facts.st_mtime_ns)

    def close(self) -> None:
        """Let go of the file; may be called twice."""
        self._file.close()
