"""File systems of a few megabytes, for tests of what happens when they are full or read-only."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["needs_small_disk", "set_read_only", "small_disk"]


def _can_mount() -> bool:
    return (
        os.geteuid() == 0
        and subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode == 0
    )


needs_small_disk = pytest.mark.skipif(
    not _can_mount(), reason="not run: docker or root is needed to mount a small disk"
)
"""For tests that mount one: other users cannot, and test full databases by a limit on their pages."""


@contextmanager
def small_disk(path: Path, mib: int) -> Iterator[Path]:
    """A file system of its own at `path`."""
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(path)], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def set_read_only(path: Path, *, is_read_only: bool) -> None:
    """Mount a small disk anew, for reading alone or for both."""
    subprocess.run(["mount", "-o", f"remount,{'ro' if is_read_only else 'rw'}", str(path)], check=True)
