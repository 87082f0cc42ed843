"""One gateway for one store: a lock that the system lets go of when its holder dies (GW-14, SCALE-5)."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from instar.errors import StoreLocked

__all__ = ["ProcessLock"]


class ProcessLock:
    """A lock on a side file, held by this process until `release` or its end, however it ends.

    The file holds the holder's process id in decimal. It stays when the lock is released: removing it would let
    two processes hold locks on two files of one name.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock now. Raises `StoreLocked` with the holder's pid; OSError where the file cannot be made."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = _read_pid(descriptor)
            os.close(descriptor)
            raise StoreLocked(
                f"{self._path.parent} is in use",
                why=f"process {pid} holds it" if pid is not None else "another process holds it",
                fix="Stop that gateway, or give this one a state directory of its own; "
                "several gateways on one store need PostgreSQL.",
                pid=pid,
            ) from None
        except BaseException:
            os.close(descriptor)
            raise
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go of the lock; may be called twice."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None


def _read_pid(descriptor: int) -> int | None:
    """The pid in a lock file, None while its holder has not written it yet."""
    text = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
    return int(text) if text.isdecimal() else None
