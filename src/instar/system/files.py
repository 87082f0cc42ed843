"""Files that belong to one person: private folders, and writes that are whole or not there at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

__all__ = ["create_private_file", "is_plain_name", "make_private_folder", "replace_file", "sync_file", "sync_folder"]

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


NAME_MAX_BYTES = 200
"""Of a name that somebody gives: file systems take 255 bytes, and endings and temporary names are added."""


def is_plain_name(name: str) -> bool:
    """Whether a name can be that of one file or folder, here and wherever it is copied to: no path, nothing unseen."""
    return (
        bool(name)
        and name.isprintable()
        and Path(name).name == name
        and not name.startswith(".")
        and len(name.encode()) <= NAME_MAX_BYTES
    )


def make_private_folder(path: Path) -> None:
    """Create a folder that only its owner may enter, with the missing ones above it; one that exists stays as it is."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def create_private_file(path: Path) -> None:
    """Make sure that a file exists; a new one can be read and written by its owner alone. Raises OSError."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE))


def replace_file(path: Path, chunks: Iterable[bytes]) -> os.stat_result:
    """Write a private file anew: to a temporary file beside it, to the disk, then renamed over `path`.

    Readers see the old file or the new one, never a part. Gives the new file's size and times. Raises OSError, and
    then the old file is as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, PRIVATE_FILE)
        with os.fdopen(descriptor, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
            facts = os.fstat(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        if isinstance(error, OSError):
            error.filename = str(path)  # the name that whoever reads the error knows
        with contextlib.suppress(OSError):  # the folder refuses this too, or is no folder: the first error tells it
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return facts


def sync_file(path: Path) -> None:
    """Bring what was written into a file to the disk. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Bring the names in a folder to the disk, so that a rename survives power loss."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
