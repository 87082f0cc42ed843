"""WebSocket frames for a client that asks and ends (RFC 6455): bytes in, messages out; no socket here.

A whole WebSocket library takes longer to import than such a client lives. What is here is the client's half: it masks
what it sends, joins the pieces of what it gets, and knows no extensions, since it asks for none.
"""

from __future__ import annotations

from binascii import b2a_base64
from typing import Final, NamedTuple

from instar.errors import Unavailable

try:
    # The whole of hashlib brings OpenSSL along, which takes longer to load than the rest of this client together.
    from _sha1 import sha1  # type: ignore[import-not-found]  # CPython's own, without stubs
except ImportError:
    from hashlib import sha1

__all__ = ["CLOSE", "PING", "PONG", "TEXT", "FrameReader", "Message", "build_upgrade", "check_upgrade", "encode_frame"]

TEXT: Final = 0x1
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA
_CONTINUATION: Final = 0x0
_CONTROL: Final = 0x8

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, section 1.3."""

MESSAGE_MAX_BYTES: Final = 64 * 1024 * 1024
"""More than a gateway keeps for a client; what is larger is not a gateway."""


class Message(NamedTuple):
    """One whole message: `kind` is TEXT, PING, PONG or CLOSE."""

    kind: int
    data: bytes


def build_upgrade(host: str, path: str, nonce: bytes) -> bytes:
    """The request that asks to speak WebSocket; `nonce` are 16 random bytes."""
    lines = (
        f"GET {path or '/'} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {_base64(nonce).decode()}",
        "Sec-WebSocket-Version: 13",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii", "replace")


def check_upgrade(head: bytes, nonce: bytes) -> None:
    """Raises `Unavailable` unless `head`, an answer up to its empty line, agrees to speak WebSocket."""
    status, *lines = head.decode("latin-1").split("\r\n")
    if status.split(" ")[1:2] != ["101"]:
        raise _no_gateway(f"it answered {status[:80]!r}")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    expected = _base64(sha1(_base64(nonce) + _GUID, usedforsecurity=False).digest())
    if headers.get("sec-websocket-accept", "").encode("latin-1") != expected:
        raise _no_gateway("it did not confirm the handshake")


def encode_frame(kind: int, data: bytes, mask: bytes) -> bytes:
    """One whole message as a frame; `mask` are four random bytes."""
    size = len(data)
    if size < 126:
        head = bytes((0x80 | kind, 0x80 | size))
    elif size < 1 << 16:
        head = bytes((0x80 | kind, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | kind, 0xFF)) + size.to_bytes(8, "big")
    pattern = (mask * (size // 4 + 1))[:size]
    masked = int.from_bytes(data, "big") ^ int.from_bytes(pattern, "big")
    return head + mask + masked.to_bytes(size, "big")


class FrameReader:
    """Takes bytes as they come and gives whole messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._parts = bytearray()

    def feed(self, data: bytes) -> None:
        """Take what arrived."""
        self._buffer += data

    def take(self) -> Message | None:
        """The next whole message, None while there is none. Raises `Unavailable` for what is no frame."""
        while (frame := self._take_frame()) is not None:
            is_last, kind, data = frame
            if kind & _CONTROL:
                if kind in {CLOSE, PING, PONG}:
                    return Message(kind, data)
                raise _no_gateway(f"it sent a frame of kind {kind}")
            if kind not in {TEXT, _CONTINUATION}:
                raise _no_gateway("it sent a message that is no text")
            self._parts += data
            if len(self._parts) > MESSAGE_MAX_BYTES:
                raise _no_gateway("it sent a message without end")
            if is_last:
                message = Message(TEXT, bytes(self._parts))
                self._parts = bytearray()
                return message
        return None

    def _take_frame(self) -> tuple[bool, int, bytes] | None:
        """The next frame: whether it is the last of its message, its kind, its data."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        size, at = buffer[1], 2
        if size & 0x80 or buffer[0] & 0x70:
            raise _no_gateway("it sent a frame that only a client may send, or one with an extension")
        if size >= 126:
            at = 4 if size == 126 else 10
            if len(buffer) < at:
                return None
            size = int.from_bytes(buffer[2:at], "big")
            if size > MESSAGE_MAX_BYTES:
                raise _no_gateway("it announced a message without end")
        if len(buffer) < at + size:
            return None
        data = bytes(buffer[at : at + size])
        is_last, kind = bool(buffer[0] & 0x80), buffer[0] & 0x0F
        del buffer[: at + size]
        return is_last, kind, data


def _base64(data: bytes) -> bytes:
    return b2a_base64(data, newline=False)


def _no_gateway(why: str) -> Unavailable:
    return Unavailable("What answers there is no gateway", why=why, fix="Check the address, and what listens on it.")
