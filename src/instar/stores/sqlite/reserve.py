"""Space kept back beside the database, for the day the disk is full.

On a full disk SQLite cannot even delete: the write-ahead log needs room for the pages that change. So a file of some
megabytes lies beside the database. Half of its room may be used by work that was promised before (a turn that must
be finished), all of it by work that makes room. New messages may use none of it, and are refused until the file
could be made again: room that is needed to keep promises must not be given away for new ones.

Half of it should hold the write-ahead log at its longest (`commit.py`): a log that cannot go home cannot be written
from its start again, and then even free pages of the database are of no use.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["Reserve"]


class Reserve:
    """The file that keeps space back."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self.size_bytes = size_bytes
        self._held_bytes = 0

    def hold(self) -> bool:
        """Make the file whole if it is not; False when the disk has no room for it."""
        if self._held_bytes < self.size_bytes and self._make():
            self._held_bytes = self.size_bytes
        return self._held_bytes == self.size_bytes

    def give_half(self) -> bool:
        """Give half of the room to work that was promised; False when that has happened before."""
        return self._shrink(self.size_bytes // 2)

    def give_all(self) -> bool:
        """Give what is left to work that makes room; False when nothing is left."""
        return self._shrink(0)

    def _shrink(self, size_bytes: int) -> bool:
        if self._held_bytes <= size_bytes:
            return False
        if size_bytes:
            os.truncate(self._path, size_bytes)
        else:
            self._path.unlink(missing_ok=True)
        self._held_bytes = size_bytes
        return True

    def _make(self) -> bool:
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                _allocate(descriptor, self.size_bytes)
            finally:
                os.close(descriptor)
        except OSError:
            self._undo()
            return False
        return True

    def _undo(self) -> None:
        """Keep no more of the file than is held for certain."""
        if self._held_bytes:
            os.truncate(self._path, self._held_bytes)
        else:
            self._path.unlink(missing_ok=True)


def _allocate(descriptor: int, size_bytes: int) -> None:
    """Give a file real blocks, not a hole. Raises OSError."""
    allocate = getattr(os, "posix_fallocate", None)  # macOS has none
    if allocate is not None:
        allocate(descriptor, 0, size_bytes)
        return
    block = bytes(64 * 1024)
    for start in range(0, size_bytes, len(block)):
        os.pwrite(descriptor, block[: size_bytes - start], start)
