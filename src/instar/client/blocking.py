"""Requests without an event loop, for programs that ask and end: every command of the command line but `chat`.

`with BlockingClient(addresses) as gateway: gateway.call("status")`. Events are read and dropped. One connection, one
thread; not for sharing.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Final, Self
from urllib.parse import SplitResult, urlsplit

from instar.client.discovery import GatewayAddress
from instar.client.frames import CLOSE, PING, PONG, TEXT, FrameReader, build_upgrade, check_upgrade, encode_frame
from instar.client.wire import (
    Payload,
    build_connect,
    build_request,
    find_other,
    parse_frame,
    parse_refusal,
    unreachable,
)
from instar.errors import GatewayUnreachable, Unavailable
from instar.system.bare import draw_bytes, read_monotonic

__all__ = ["BlockingClient"]

_HEAD_MAX_BYTES: Final = 16 * 1024
_CHUNK_BYTES: Final = 64 * 1024
_PORTS: Final = {"ws": 80, "wss": 443}


class BlockingClient:
    """One connection to the first of `addresses` at which something answers.

    `timeout_s` bounds the opening and each call. `hello` is the gateway's greeting, `address` the one that answered;
    `is_gateway` tells it from what answers where there is none.
    """

    def __init__(self, addresses: tuple[GatewayAddress, ...], *, timeout_s: float = 10.0) -> None:
        self.is_gateway = True
        self._addresses = addresses
        self._timeout_s = timeout_s
        self._socket: socket.socket | None = None
        self._reader = FrameReader()
        self._asked = 0
        self._deadline = 0.0
        self.hello: Payload = {}
        self.address = addresses[0]

    def __enter__(self) -> Self:
        """Connect. Raises `GatewayUnreachable`, `Forbidden` (a wrong secret), `Unavailable` (it is no gateway)."""
        self._deadline = read_monotonic() + self._timeout_s
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def call(
        self, method: str, params: Mapping[str, object] | None = None, *, timeout_s: float | None = None
    ) -> Payload:
        """The payload of a request. Raises what the gateway answers as one of `instar.errors`."""
        self._deadline = read_monotonic() + (self._timeout_s if timeout_s is None else timeout_s)
        return self._call(method, params)

    def close(self) -> None:
        """Say goodbye and close; may be called twice."""
        if self._socket is None:
            return
        try:
            self._socket.settimeout(0.2)
            self._socket.sendall(encode_frame(CLOSE, (1000).to_bytes(2, "big"), draw_bytes(4)))
        except OSError:
            pass  # whoever is gone needs no goodbye
        finally:
            self._socket.close()
            self._socket = None

    # --- opening ------------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        """A connection to the first address where the gateway that is meant answers, greeted."""
        failures = []
        other: GatewayUnreachable | None = None
        for address in self._addresses:
            parts = urlsplit(address.url)
            try:
                self._socket = self._dial(parts)
            except OSError as error:
                failures.append(error.strerror or str(error))
                continue
            self.address = address
            self._upgrade(parts)
            self._greet()
            refused = find_other(address, self.hello)
            if refused is None:
                return
            other = refused
            self.close()
            self._reader = FrameReader()
        raise other or unreachable(self._addresses, failures[-1].lower() if failures else "nobody listens")

    def _dial(self, parts: SplitResult) -> socket.socket:
        host = parts.hostname or ""
        # As bytes where that is enough: text goes through a codec for foreign names that is slower than the connection.
        name = host.encode() if host.isascii() else host
        plain = socket.create_connection((name, parts.port or _PORTS[parts.scheme]), timeout=self._left())  # type: ignore[arg-type]  # bytes are taken as well
        if parts.scheme == "ws":
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return plain
        import ssl

        return ssl.create_default_context().wrap_socket(plain, server_hostname=parts.hostname)

    def _upgrade(self, parts: SplitResult) -> None:
        nonce = draw_bytes(16)
        self._send(build_upgrade(parts.netloc, parts.path, nonce))
        head = b""
        while b"\r\n\r\n" not in head:
            if len(head) > _HEAD_MAX_BYTES:
                raise Unavailable("What answers there is no gateway", why="it sent a head without end")
            head += self._receive()
        head, _, rest = head.partition(b"\r\n\r\n")
        check_upgrade(head, nonce)
        self._reader.feed(rest)

    def _greet(self) -> None:
        """Wait for the challenge, then connect (GW-4)."""
        self._next_frame(lambda frame: frame.get("event") == "connect.challenge")
        params = build_connect(self.address, client_id="cli", mode="cli", caps=())
        self.hello = self._call("connect", params)

    # --- frames -------------------------------------------------------------------------------------------------------

    def _call(self, method: str, params: Mapping[str, object] | None) -> Payload:
        self._asked += 1
        request_id = str(self._asked)
        text = build_request(request_id, method, params)
        self._send(encode_frame(TEXT, text.encode(), draw_bytes(4)))
        frame = self._next_frame(lambda frame: frame.get("type") == "res" and frame.get("id") == request_id)
        if not frame.get("ok"):
            raise parse_refusal(frame.get("error") or {})
        payload = frame.get("payload")
        return payload if isinstance(payload, dict) else {}

    def _next_frame(self, is_wanted: Callable[[Payload], bool]) -> Payload:
        """The next frame that is wanted; others are events, which this client does not hear."""
        while True:
            message = self._reader.take()
            if message is None:
                self._reader.feed(self._receive())
            elif message.kind == PING:
                self._send(encode_frame(PONG, message.data, draw_bytes(4)))
            elif message.kind == CLOSE:
                reason = message.data[2:].decode("utf-8", "replace")
                raise Unavailable("The gateway closed the connection", why=reason, fix="Try again in a moment.")
            elif message.kind == TEXT:
                frame = parse_frame(message.data)
                if is_wanted(frame):
                    return frame

    def _send(self, data: bytes) -> None:
        if self._socket is None:
            raise Unavailable("The connection to the gateway is closed")
        try:
            self._socket.settimeout(self._left())
            self._socket.sendall(data)
        except OSError as error:
            raise self._lost(error) from None

    def _receive(self) -> bytes:
        if self._socket is None:
            raise Unavailable("The connection to the gateway is closed")
        try:
            self._socket.settimeout(self._left())
            data = self._socket.recv(_CHUNK_BYTES)
        except OSError as error:
            raise self._lost(error) from None
        if not data:
            raise Unavailable("The gateway hung up", fix="See its log, and try again.")
        return data

    def _lost(self, error: OSError) -> Unavailable:
        if isinstance(error, TimeoutError):
            return GatewayUnreachable(
                f"The gateway at {self.address.url} does not answer",
                why=f"nothing came within {self._timeout_s:g} s",
                fix="Wait longer with --timeout, or see the gateway's log.",
            )
        return Unavailable("The connection to the gateway broke", why=error.strerror or str(error), fix="Try again.")

    def _left(self) -> float:
        """Seconds until the deadline; never zero, which would mean not to wait at all."""
        return max(self._deadline - read_monotonic(), 0.001)
