"""One sealed value: how it is written, sealed and opened (docs/formats/database.md, "What is sealed").

A cell is text, so that it fits where its words stood: a mark, the name of the data key, and in base64url a random nonce
with the ciphertext. The place of the value (table, column, what names the row) is authenticated and not written: a cell
opens only where it was sealed. A file is sealed in the same way, in bytes.

What belongs here: the format. What does not: where keys come from (`ring`), and what is sealed (`columns`).
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from instar.system.ids import draw_bytes

__all__ = [
    "FILE_MARK",
    "KEY_CHARS",
    "MARK",
    "Box",
    "cell_key",
    "draw_name",
    "make_box",
    "open_cell",
    "open_file",
    "read_key_name",
    "seal_cell",
    "seal_file",
]

Box = Any
"""An AES-256-GCM cipher with its key. `Any`: the library that makes it is imported only where something is sealed."""

MARK: Final = "\x02i1"
"""Begins a cell; the last character is the version of the format. No JSON begins so, and nobody types it."""

KEY_CHARS: Final = 12
"""The name of a data key: nine random bytes in base64url."""

FILE_MARK: Final = b"instar-sealed-1\n"
"""Begins a sealed file."""

_NONCE_BYTES: Final = 12
_FILE_PLACE: Final = b"file"

_encode: Final = msgspec.json.Encoder().encode


def make_box(key: bytes) -> Box:
    """The cipher of a key of 32 bytes."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


def draw_name() -> str:
    """A name for a new data key."""
    return urlsafe_b64encode(draw_bytes(9)).decode()


def seal_cell(text: str, *, name: str, box: Box, place: Sequence[object]) -> str:
    """The cell of a text under the data key of that name. `place` says where it stands."""
    nonce = draw_bytes(_NONCE_BYTES)
    sealed = box.encrypt(nonce, text.encode("utf-8", "surrogatepass"), _bind(name, place))
    return f"{MARK}{name}{urlsafe_b64encode(nonce + sealed).decode()}"


def cell_key(value: object) -> str | None:
    """The name of the data key of a cell; None for what is no cell."""
    if type(value) is not str or not value.startswith(MARK):
        return None
    name = value[len(MARK) : len(MARK) + KEY_CHARS]
    return name if len(name) == KEY_CHARS else None


def open_cell(cell: str, *, find: Callable[[str], Box | None], place: Sequence[object]) -> str | None:
    """The text of a cell; None where its key is not there, or where it is not what was sealed at this place.

    `find` gives the cipher of a data key by its name.
    """
    from cryptography.exceptions import InvalidTag

    name = cell_key(cell)
    box = find(name) if name is not None else None
    if name is None or box is None:
        return None
    try:
        packed = urlsafe_b64decode(cell[len(MARK) + KEY_CHARS :])
        text: bytes = box.decrypt(packed[:_NONCE_BYTES], packed[_NONCE_BYTES:], _bind(name, place))
    except (ValueError, InvalidTag):
        return None
    return text.decode("utf-8", "surrogatepass")


def _bind(name: str, place: Sequence[object]) -> bytes:
    """What is authenticated beside the text; JSON, so that no two places look the same."""
    return _encode((MARK, name, *place))


# --- files ------------------------------------------------------------------------------------------------------------


def seal_file(content: bytes, *, name: str, box: Box) -> bytes:
    """A file's content under the data key of that name."""
    nonce = draw_bytes(_NONCE_BYTES)
    sealed: bytes = box.encrypt(nonce, content, _FILE_PLACE + name.encode())
    return FILE_MARK + name.encode() + nonce + sealed


def read_key_name(sealed: bytes) -> str | None:
    """The name of the data key of a sealed file; None for a file that is not sealed."""
    start = len(FILE_MARK)
    return sealed[start : start + KEY_CHARS].decode("ascii", "replace") if sealed.startswith(FILE_MARK) else None


def open_file(sealed: bytes, *, find: Callable[[str], Box | None]) -> bytes | None:
    """The content of a sealed file; None where its key is not there, or it was changed."""
    from cryptography.exceptions import InvalidTag

    name = read_key_name(sealed)
    box = find(name) if name is not None else None
    if name is None or box is None:
        return None
    packed = sealed[len(FILE_MARK) + KEY_CHARS :]
    try:
        content: bytes = box.decrypt(packed[:_NONCE_BYTES], packed[_NONCE_BYTES:], _FILE_PLACE + name.encode())
    except (ValueError, InvalidTag):
        return None
    return content
