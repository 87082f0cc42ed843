"""uvicorn's WebSocket protocol with the two things that ASGI cannot say: a limit that grows, and a socket to drop.

Before `connect` a frame may hold 64 KiB, afterwards 25 MiB (GW-7): the limit has to be enforced while a frame
arrives, or a stranger could fill the memory. And a client that reads nothing has to be dropped without waiting for
its buffer, which would never drain.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from instar.protocol.frames import FIRST_FRAME_MAX_BYTES

__all__ = ["EXTENSION", "GatewaySocket", "SocketControl"]

EXTENSION: Final = "instar.socket"
"""Key of the `SocketControl` in the scope's extensions."""


@dataclass(frozen=True, slots=True)
class SocketControl:
    """What the API may do to a socket beside sending and receiving."""

    allow_frames: Callable[[int], None]
    abort: Callable[[], None]


class GatewaySocket(WebSocketsSansIOProtocol):
    """A WebSocket whose first frame is small, and that can be dropped."""

    def handle_connect(self, event: Request) -> None:
        """Begin with the small limit and hand the control to the application."""
        self.conn.max_message_size = FIRST_FRAME_MAX_BYTES
        super().handle_connect(event)
        # The application's task was created above and has not run yet.
        scope: MutableMapping[str, Any] | None = getattr(self, "scope", None)  # Any: ASGI leaves extensions open
        if scope is not None:
            scope["extensions"][EXTENSION] = SocketControl(self._allow_frames, self._abort)

    def _allow_frames(self, max_bytes: int) -> None:
        self.conn.max_message_size = max_bytes

    def _abort(self) -> None:
        self.transport.abort()
