"""uvicorn's HTTP protocol with a bound on how long a request may take to say what it wants.

The head of a request is at most 16 KiB (`HEAD_MAX_BYTES`) and has to be there within `HEAD_WAIT_S`; without that,
strangers could hold any number of sockets open by sending a byte now and then. The parser looks at the size only of
heads that come in pieces, so `ShortHeads` looks again. Bodies are read by the doors, which have
bounds of their own.
"""

from __future__ import annotations

import asyncio
from typing import Final

import h11
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["HEAD_MAX_BYTES", "HEAD_WAIT_S", "PatientHttp", "ShortHeads"]

HEAD_MAX_BYTES: Final = 16 * 1024
HEAD_WAIT_S: Final = 15.0


class PatientHttp(H11Protocol):
    """HTTP whose clients have to come to the point."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Wait for the head of the first request."""
        super().connection_made(transport)
        self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._clear_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; a head that has begun and is not whole has to be soon."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._clear_deadline()
        elif self._deadline is None and self.timeout_keep_alive_task is None:
            self._set_deadline()

    def _set_deadline(self) -> None:
        self._deadline = self.loop.call_later(HEAD_WAIT_S, self._give_up)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        self.transport.close()


class ShortHeads:
    """Refuses a request whose address and headers are longer than anybody needs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 431."""
        if scope["type"] == "http" and _head_bytes(scope) > HEAD_MAX_BYTES:
            what = {"error": f"address and headers are longer than {HEAD_MAX_BYTES} bytes"}
            await JSONResponse(what, status_code=431, headers={"Connection": "close"})(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _head_bytes(scope: Scope) -> int:
    lines = sum(len(name) + len(value) + 4 for name, value in scope["headers"])
    return lines + len(scope.get("raw_path") or b"") + len(scope["query_string"])
