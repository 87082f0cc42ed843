"""The master key: where it comes from, and how one is made.

It wraps the data keys of the ring and seals nothing itself. It lies in a file that only its owner may read, or in an
environment variable, and is written nowhere else.
"""

from __future__ import annotations

import os
import re
import stat
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Final

from instar.errors import ConfigError, InvalidRequest
from instar.system.files import make_private_folder, sync_folder
from instar.system.ids import draw_bytes

__all__ = ["create_key_file", "draw_key", "parse_key", "read_key_file"]

_PREFIX: Final = "instar-key-1:"
_FORM: Final = re.compile(rf"{_PREFIX}[A-Za-z0-9_-]{{43}}=?")
_FILE_MAX_BYTES: Final = 4096
_MAKE: Final = "Make one with `instar encryption create-key FILE`."


def draw_key() -> str:
    """A new master key, as it is written: 256 random bits."""
    return _PREFIX + urlsafe_b64encode(draw_bytes(32)).decode().rstrip("=")


def parse_key(text: str, *, source: str) -> bytes:
    """The key that a text holds; `source` says where it came from. Raises `ConfigError`, which repeats none of it."""
    line = text.strip()
    if not _FORM.fullmatch(line):
        raise ConfigError(
            f"{source} holds no master key",
            why=f"it does not look like {_PREFIX}… with 43 characters after the colon",
            fix=_MAKE,
            path="session.encryption",
        )
    return urlsafe_b64decode(line.removeprefix(_PREFIX).rstrip("=") + "=")


def read_key_file(path: Path) -> bytes:
    """The key in a file. Raises `ConfigError` where it is missing, others may read it, or it holds none."""
    try:
        mode = path.stat().st_mode
        text = path.read_bytes()[:_FILE_MAX_BYTES].decode("ascii", "replace")
    except OSError as error:
        raise ConfigError(
            f"The master key {path} cannot be read",
            why=(error.strerror or str(error)).lower(),
            fix=f"Bring the file back from where you keep a copy. For a store that is not encrypted yet: {_MAKE}",
            path="session.encryption.keyFile",
        ) from None
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigError(
            f"Others may read the master key {path}",
            why=f"its mode is {stat.S_IMODE(mode):03o}",
            fix=f"chmod 600 {path}",
            path="session.encryption.keyFile",
        )
    return parse_key(text, source=str(path))


def create_key_file(path: Path) -> None:
    """Write a new master key to a file that is not there yet. Raises `InvalidRequest`, OSError."""
    make_private_folder(path.parent)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise InvalidRequest(
            f"{path} is there already", why="a key is never overwritten", fix="Give another name."
        ) from None
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(draw_key() + "\n")
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)
