"""The life of one WebSocket: challenge, connect, requests, events, close (GW-2…8)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from instar.api.attempts import Attempts
from instar.api.auth import is_loopback
from instar.api.beacons import Beacons
from instar.api.call import Services
from instar.api.connection import Connection
from instar.api.device_gate import DeviceGate, find_origin
from instar.api.dispatch import Dispatcher
from instar.api.handshake import (
    POLICY_VIOLATION,
    Accepted,
    Rejected,
    build_hello,
    decide_connect,
    shown_secret,
)
from instar.api.hub import Hub
from instar.api.origin import is_origin_allowed, is_own_origin
from instar.api.pages import cookie_name
from instar.api.settings import ApiSettings
from instar.api.signin import SignIn
from instar.api.socket import EXTENSION, SocketControl
from instar.core.model.token import ShownToken
from instar.core.policy.ownership import owns
from instar.core.policy.scopes import READ
from instar.errors import StoreError
from instar.protocol.errors import ErrorShape, wire_error
from instar.protocol.events import CHALLENGE
from instar.protocol.frames import (
    BadFrame,
    Request,
    build_error,
    build_response,
    encode_event_head,
    finish_event,
    parse_request,
)
from instar.protocol.methods import METHODS
from instar.system.limiter import address_key

__all__ = ["SocketDoor"]

UNSUPPORTED_DATA: Final = 1003
TOO_BIG: Final = 1009

BAD_FRAMES_MAX: Final = 32
"""Frames that are no requests, in a row, before a client is closed: it is broken, or tries things out."""

DISMISS_S: Final = 2.0
"""How long a client whose token was revoked may take to close its side."""

_GONE: Final = (WebSocketDisconnect, WebSocketDisconnected)
"""What a send or a close says when the client was faster; that is its right, and no defect."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketDoor:
    """Lets WebSockets in and serves them; one for each server."""

    settings: ApiSettings
    services: Services
    dispatcher: Dispatcher
    hub: Hub
    beacons: Beacons
    attempts: Attempts
    greeting: Counter[str] = field(default_factory=Counter)
    """How many sockets of each address have not connected yet."""

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one socket until it closes."""
        refusal = self._refusal(websocket)
        if refusal is not None:
            # Closed before it was accepted: the server answers the upgrade with 403.
            log.info("socket_refused", reason=refusal)
            await _leave(websocket, POLICY_VIOLATION, refusal)
            return
        nonce = self.services.ids.token()
        with self._counted(_address_of(websocket)):
            request = await self._greet(websocket, nonce)
        if request is None:
            return
        wait_ms = self.attempts.failures.wait_ms(_address_of(websocket))
        if wait_ms:
            await self._close(
                websocket, request.id, _too_often(wait_ms), code=POLICY_VIOLATION, why="too many wrong secrets"
            )
            return
        signin = self._find_signin(websocket)
        cookie = None if signin is None else signin.authority
        decided = decide_connect(request, self.settings, await self._shown_token(request), cookie)
        gate = DeviceGate(settings=self.settings, gateway=self.services.gateway)
        now = self.services.clock.now()
        decided = await gate.check(request, decided, nonce=nonce, origin=find_origin(websocket), now=now)
        self._note_attempt(websocket, decided)
        if isinstance(decided, Rejected):
            log.info("connect_refused", reason=decided.close_reason)
            await self._close(websocket, request.id, decided.error, code=decided.close_code, why=decided.close_reason)
            return
        if self.hub.count_of(decided.caller) >= self.settings.limits.connections_each:
            why = "too many connections with this token"
            await self._close(websocket, request.id, _FULL, code=POLICY_VIOLATION, why=why)
            return
        await self._serve_client(websocket, request, decided, signin)

    @contextmanager
    def _counted(self, address: str) -> Iterator[None]:
        """Count a socket that has not connected yet, among all and for its address."""
        self.hub.greetings += 1
        self.greeting[address] += 1
        try:
            yield
        finally:
            self.hub.greetings -= 1
            self.greeting[address] -= 1
            if not self.greeting[address]:
                del self.greeting[address]

    def _find_signin(self, websocket: WebSocket) -> SignIn | None:
        """The signed-in browser whose own page opens the socket; a cookie that another site's page sends is none."""
        if self.services.signins is None:
            return None
        headers = websocket.headers
        allowed = self.settings.allowed_origins
        is_own = is_own_origin(headers.get("origin"), host_header=headers.get("host", ""), allowed=allowed)
        return self.services.signins.find(websocket.cookies.get(cookie_name(websocket))) if is_own else None

    def _note_attempt(self, websocket: WebSocket, decided: Accepted | Rejected) -> None:
        """Count a wrong secret; the right one forgives what went before. What was malformed was no guess.

        A token of somebody's own forgives nothing: between its uses they could guess at the gateway's secret for ever.
        """
        key = _address_of(websocket)
        if isinstance(decided, Accepted):
            if decided.caller.token_id is None or decided.device_token is not None:
                self.attempts.failures.succeeded(key)
        elif decided.is_guess:
            self.attempts.failures.failed(key)

    def _refusal(self, websocket: WebSocket) -> str | None:
        """Why a socket is not even accepted, None when it may speak."""
        headers = websocket.headers
        allowed = self.settings.allowed_origins
        if not is_origin_allowed(headers.get("origin"), host_header=headers.get("host", ""), allowed=allowed):
            return "origin not allowed"
        if self.hub.is_closing:
            return "gateway is stopping"
        limits = self.settings.limits
        if len(self.hub) >= limits.connections or self.hub.greetings >= limits.greetings:
            return "too many connections"
        address = _address_of(websocket)
        if self.greeting[address] >= limits.greetings_each and not is_loopback(address):
            return "too many connections from this address"
        return None

    # --- before connect -----------------------------------------------------------------------------------------------

    async def _greet(self, websocket: WebSocket, nonce: str) -> Request | None:
        """Accept, challenge, and hear the first request; None when there is none, then the socket is closed."""
        await websocket.accept()
        challenge = {"nonce": nonce, "ts": self.services.clock.now()}
        with suppress(*_GONE):
            await websocket.send_text(finish_event(encode_event_head(CHALLENGE, challenge), None).decode())
        return await self._first_request(websocket)

    async def _first_request(self, websocket: WebSocket) -> Request | None:
        """The first frame as a request; None when there was none in time or it was no request, then it is closed."""
        limits = self.settings.limits
        try:
            async with asyncio.timeout(limits.connect_timeout_s):
                message = await websocket.receive()
        except TimeoutError:
            await _leave(websocket, POLICY_VIOLATION, "handshake timeout")
            return None
        if message["type"] != "websocket.receive":
            return None
        text = message.get("text")
        if text is None:
            await _leave(websocket, UNSUPPORTED_DATA, "text frames only")
            return None
        if len(text) > limits.first_frame_max_bytes:
            await _leave(websocket, TOO_BIG, "first frame too big")
            return None
        try:
            return parse_request(text)
        except BadFrame as error:
            await self._close(
                websocket, error.request_id, wire_error(error), code=POLICY_VIOLATION, why="invalid request frame"
            )
            return None

    async def _shown_token(self, request: Request) -> ShownToken | None:
        """The stored token that a `connect` shows; None too when the store cannot say, so that nobody gets in by it."""
        try:
            return await self.services.gateway.tokens.find(shown_secret(request))
        except StoreError as error:
            log.error("token_not_looked_up", error=str(error))
            return None

    async def _close(self, websocket: WebSocket, request_id: str, error: ErrorShape, *, code: int, why: str) -> None:
        """Say what is wrong, then close."""
        with suppress(*_GONE):
            await websocket.send_text(build_error(request_id, error).decode())
        await _leave(websocket, code, why)

    # --- after connect ------------------------------------------------------------------------------------------------

    async def _serve_client(
        self, websocket: WebSocket, request: Request, accepted: Accepted, signin: SignIn | None
    ) -> None:
        control = websocket.scope.get("extensions", {}).get(EXTENSION)
        limits = self.settings.limits

        async def write(frame: bytes) -> None:
            await websocket.send_text(frame.decode())

        connection = Connection(
            self.services.ids.token()[:22],
            caller=accepted.caller,
            protocol=accepted.protocol,
            caps=accepted.caps,
            client=accepted.client,
            since=self.services.clock.now(),
            buffer_max_bytes=limits.send_buffer_max_bytes,
            write=write,
            abort=control.abort if isinstance(control, SocketControl) else lambda: None,
        )
        if signin is not None:
            signin.connections.add(connection)
        if isinstance(control, SocketControl):
            control.allow_frames(limits.frame_max_bytes)
        gateway, caller = self.services.gateway, accepted.caller
        facts = gateway.facts()
        hello = build_hello(
            accepted,
            facts,
            limits=limits,
            auth_mode=self.settings.auth.mode,
            connection_id=connection.id,
            now=self.services.clock.now(),
            main_session_key=facts.main_session_key if owns(caller) else gateway.owners.home(caller, None),
            beacons=self.beacons.snapshot(connection),
        )
        connection.send(build_response(request.id, hello))
        log.info(
            "client_connected", connection=connection.id, client=accepted.caller.client, protocol=accepted.protocol
        )
        await self._converse(websocket, connection)
        log.info("client_gone", connection=connection.id)

    async def _converse(self, websocket: WebSocket, connection: Connection) -> None:
        """Read requests and write frames until the socket closes.

        Requests that only read are cancelled then; those that change something are finished.
        """
        self.hub.add(connection)
        waiting: dict[asyncio.Task[None], bool] = {}
        try:
            async with asyncio.TaskGroup() as group:
                writer = group.create_task(_write(connection))
                doorman = group.create_task(self._dismiss(websocket, connection))
                await self._read(websocket, connection, group, waiting)
                self.hub.remove(connection)
                for task, may_cancel in waiting.items():
                    if may_cancel:
                        task.cancel()
                while waiting:
                    await asyncio.wait(waiting)
                writer.cancel()
                doorman.cancel()
        finally:
            self.hub.remove(connection)

    async def _read(
        self,
        websocket: WebSocket,
        connection: Connection,
        group: asyncio.TaskGroup,
        waiting: dict[asyncio.Task[None], bool],
    ) -> None:
        """Begin each request in the order of arrival; return when the client is gone or is closed."""
        bad_frames = 0
        while True:
            message: dict[str, Any] = dict(await websocket.receive())  # Any: ASGI messages have no closer type
            if message["type"] != "websocket.receive":
                return
            text = message.get("text")
            if text is None:
                await self._end(websocket, connection, code=UNSUPPORTED_DATA, why="text frames only")
                return
            try:
                request = parse_request(text)
            except BadFrame as error:
                bad_frames += 1
                connection.send(build_error(error.request_id, wire_error(error)))
                if bad_frames >= BAD_FRAMES_MAX:
                    await self._end(websocket, connection, code=POLICY_VIOLATION, why="too many invalid frames")
                    return
                continue
            bad_frames = 0
            if len(waiting) >= self.settings.limits.requests_in_flight:
                connection.send(build_error(request.id, _TOO_MANY))
                continue
            task = group.create_task(self._answer(connection, request))
            waiting[task] = _may_cancel(request)
            task.add_done_callback(lambda done: waiting.pop(done, None))

    async def _dismiss(self, websocket: WebSocket, connection: Connection) -> None:
        """Close a client whose credentials have ended, once somebody says so; then the reader ends as well."""
        why = await connection.dismissed()
        log.info("client_dismissed", connection=connection.id, reason=why)
        await self._end(websocket, connection, code=POLICY_VIOLATION, why=why)
        # Whoever does not answer the close keeps no socket either.
        await self.services.clock.sleep(DISMISS_S)
        connection.drop()

    async def _answer(self, connection: Connection, request: Request) -> None:
        connection.send(await self.dispatcher.answer(connection, request))

    async def _end(self, websocket: WebSocket, connection: Connection, *, code: int, why: str) -> None:
        """Write what is queued, within a second, then close."""
        connection.end()
        try:
            async with asyncio.timeout(1.0):
                await connection.flushed()
        except TimeoutError:
            log.info("client_not_reading", connection=connection.id)
        await _leave(websocket, code, why)


_TOO_MANY: Final = ErrorShape(
    code="UNAVAILABLE", message="too many requests in flight on this connection", retryable=True, retry_after_ms=1000
)


_FULL: Final = ErrorShape(
    code="UNAVAILABLE", message="too many connections are open with this token", retryable=True, retry_after_ms=5000
)


def _too_often(wait_ms: int) -> ErrorShape:
    message = "too many wrong secrets came from this address; try again later"
    return ErrorShape(code="UNAVAILABLE", message=message, retryable=True, retry_after_ms=wait_ms)


def _address_of(websocket: WebSocket) -> str:
    return address_key(websocket.client.host if websocket.client is not None else None)


async def _leave(websocket: WebSocket, code: int, why: str) -> None:
    """Close, unless the client has left already."""
    with suppress(*_GONE):
        await websocket.close(code, why)


async def _write(connection: Connection) -> None:
    """Write frames until cancelled, or until the socket is dead; then the reader ends as well."""
    with suppress(*_GONE):
        await connection.write_all()


def _may_cancel(request: Request) -> bool:
    """Whether nobody misses the request when its client is gone: it reads, or it only waits."""
    method = METHODS.get(request.method)
    return method is None or method.scope == READ or method.waits
