"""Space kept back beside the database, for the day the disk is full.

On a full disk SQLite cannot even delete: the write-ahead log needs room for the pages that change. So a file of some
megabytes lies beside the database. Work that was promised before, or that frees space, may use its room; new
messages may not, and are refused until the file could be made again. Where the disk is too full to make it at all,
new messages are refused as well: room that is needed to finish work must not be given away.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["Reserve"]


class Reserve:
    """The file that keeps space back."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self._size_bytes = size_bytes
        self._is_held = False

    def hold(self) -> bool:
        """Make the file if it is not there; False when the disk has no room for it."""
        if not self._is_held:
            self._is_held = self._make()
        return self._is_held

    def let_go(self) -> bool:
        """Give its room away; False when that has happened before."""
        if not self._is_held:
            return False
        self._path.unlink(missing_ok=True)
        self._is_held = False
        return True

    def _make(self) -> bool:
        try:
            if self._path.exists() and self._path.stat().st_size == self._size_bytes:
                return True
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                _allocate(descriptor, self._size_bytes)
            finally:
                os.close(descriptor)
        except OSError:
            self._path.unlink(missing_ok=True)
            return False
        return True


def _allocate(descriptor: int, size_bytes: int) -> None:
    """Give a file real blocks, not a hole. Raises OSError."""
    allocate = getattr(os, "posix_fallocate", None)  # macOS has none
    if allocate is not None:
        allocate(descriptor, 0, size_bytes)
        return
    block = bytes(64 * 1024)
    for start in range(0, size_bytes, len(block)):
        os.pwrite(descriptor, block[: size_bytes - start], start)
