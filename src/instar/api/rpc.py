"""The methods of the wire over plain HTTP, for scripts that want one answer: ``POST /rpc`` (LEAK-5).

The body is a request as on the WebSocket (``{"method", "params"}``; ``type`` and ``id`` may be left out), the answer
the same response frame. The bearer token is the gateway's own secret or one of `instar tokens`, and the request passes
the same gate as one that comes over a socket. What is about a connection (subscriptions) needs one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from instar.api.auth import Authority, Refused, authenticate
from instar.api.call import Services
from instar.api.connection import Connection
from instar.api.device_gate import find_bearer_token
from instar.api.dispatch import Dispatcher
from instar.api.handlers.subscriptions import HANDLERS as NEED_A_SOCKET
from instar.api.origin import is_origin_allowed
from instar.api.settings import ApiSettings
from instar.core.model.caller import Caller
from instar.errors import StoreError
from instar.protocol.errors import ErrorShape, wire_error
from instar.protocol.frames import BadFrame, build_error, parse_request
from instar.protocol.version import NEWEST

__all__ = ["RpcDoor"]

_STATUS: Final = {"INVALID_REQUEST": 400, "FORBIDDEN": 403, "NOT_PAIRED": 403, "AGENT_TIMEOUT": 504}
"""HTTP statuses of the codes of the wire; every other code is 503."""

_JSON: Final = "application/json"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcDoor:
    """Answers requests that come one by one."""

    settings: ApiSettings
    services: Services
    dispatcher: Dispatcher

    async def serve(self, request: Request) -> Response:
        """``POST /rpc``."""
        headers = request.headers
        allowed = self.settings.allowed_origins
        if not is_origin_allowed(headers.get("origin"), host_header=headers.get("host", ""), allowed=allowed):
            return _refuse(403, "origin not allowed")
        authority = await self._authenticate(headers.get("authorization", ""))
        if isinstance(authority, Refused):
            return _refuse(401, authority.message, details=authority.details)
        if headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
            return _refuse(415, f"the body must be {_JSON}")
        body = await self._read(request)
        if body is None:
            return _refuse(413, f"the body must NOT have more than {self.settings.limits.frame_max_bytes} bytes")
        return await self._answer(authority, body, client=headers.get("user-agent", "http")[:128])

    async def _authenticate(self, header: str) -> Authority | Refused:
        """What the bearer header allows."""
        scheme, _, given = header.partition(" ")
        secret = given.strip() if scheme.lower() == "bearer" else ""
        try:
            shown = await find_bearer_token(self.services.gateway, secret)
        except StoreError as error:
            log.error("token_not_looked_up", error=str(error))
            shown = None
        return authenticate(self.settings.auth, token=secret, password=secret, shown=shown)

    async def _read(self, request: Request) -> bytes | None:
        """The body, None for one that is too big."""
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > self.settings.limits.frame_max_bytes:
                    return None
        except ClientDisconnect:
            return b""
        return bytes(body)

    async def _answer(self, authority: Authority, body: bytes, *, client: str) -> Response:
        try:
            asked = parse_request(_complete(body))
        except BadFrame as error:
            shape = wire_error(error)
            return Response(build_error(error.request_id, shape), status_code=400, media_type=_JSON)
        if asked.method in NEED_A_SOCKET:
            shape = ErrorShape(code="INVALID_REQUEST", message=f"{asked.method} needs a WebSocket")
            return Response(build_error(asked.id, shape), status_code=400, media_type=_JSON)
        frame, code = await self.dispatcher.ask(self._connect(authority, client), asked)
        return Response(frame, status_code=200 if code is None else _STATUS.get(code, 503), media_type=_JSON)

    def _connect(self, authority: Authority, client: str) -> Connection:
        """What stands for the connection of one request: it hears nothing."""
        return Connection(
            "http",
            caller=Caller(
                scopes=authority.scopes,
                principal=authority.principal,
                client=client,
                token_id=authority.token_id,
                expires_at=authority.expires_at,
            ),
            protocol=NEWEST,
            caps=frozenset(),
            buffer_max_bytes=0,
            write=_write_nothing,
            abort=lambda: None,
        )


async def _write_nothing(frame: bytes) -> None:
    """There is nobody to write to."""


def _complete(body: bytes) -> bytes:
    """The body with ``type`` and ``id``, where it left them out; as it is, where it is no JSON object."""
    try:
        given = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return body
    return msgspec.json.encode({"type": "req", "id": "1", **given}) if isinstance(given, dict) else body


def _refuse(status: int, message: str, *, details: object = None) -> Response:
    error: dict[str, object] = {"message": message}
    if details is not None:
        error["details"] = details
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse({"error": error}, status_code=status, headers=headers)
