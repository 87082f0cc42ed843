"""From a request frame to a response frame: find the method, check scope and fields, call, translate errors.

This is one of the three boundaries where a broad `except` stands (docs/style): a defect in one handler answers that
one request and is logged with its traceback.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec
import structlog

from instar.api.attempts import Attempts
from instar.api.call import Call, Services
from instar.api.connection import Connection
from instar.api.gate import Sight, check_scope, load_sight
from instar.api.handlers import HANDLERS
from instar.api.idempotency import Results
from instar.core.model.caller import Caller, has_expired
from instar.core.model.ids import SessionKey
from instar.core.policy.scopes import ADMIN, has_scope
from instar.errors import Forbidden, InstarError, InvalidRequest
from instar.protocol.errors import ErrorShape, wire_error
from instar.protocol.frames import Request, build_error, build_response
from instar.protocol.methods import METHODS, Method
from instar.protocol.params import Params, check_params

__all__ = ["Dispatcher"]

METHOD_SHOWN_MAX_CHARS = 128
"""How much of an unknown method's name an error repeats."""

log = structlog.get_logger(__name__)


class Dispatcher:
    """Answers requests of connected clients."""

    def __init__(self, services: Services, attempts: Attempts) -> None:
        self._services = services
        self._attempts = attempts
        self._results = Results(services.clock)

    async def answer(self, connection: Connection, request: Request) -> bytes:
        """The response to a request, good or bad; never raises."""
        return (await self.ask(connection, request))[0]

    async def ask(self, connection: Connection, request: Request) -> tuple[bytes, str | None]:
        """The response to a request with the code of the wire where it is bad, None where it is good; never raises."""
        try:
            payload = await self._call(connection, request)
            return build_response(request.id, payload), None
        except InstarError as error:
            log.info("request_refused", method=_shown(request.method), code=error.code, connection=connection.id)
            shape = self._tell(error, connection)
        except Exception:
            log.exception("request_failed", method=_shown(request.method), connection=connection.id)
            shape = ErrorShape(code="UNAVAILABLE", message="internal error; the gateway's log has it", retryable=False)
        return build_error(request.id, shape), shape.code

    async def _call(self, connection: Connection, request: Request) -> object:
        method = METHODS.get(request.method)
        if method is None:
            raise InvalidRequest(_unknown(request.method), field="method")
        self._check_alive(connection)
        check_scope(method, connection.caller)
        self._attempts.check_send(method.name, connection.caller)
        params = check_params(method.name, method.fields, request.params or {})
        call = await self._open_call(connection, params)
        handler = HANDLERS[method.name]
        if not self._is_remembered(method, key := params.text("idempotencyKey")):
            return await handler(call)
        return await self._results.once((_holder(connection.caller), method.name, key), lambda: handler(call))

    async def _open_call(self, connection: Connection, params: Params) -> Call:
        """The call with what its caller may touch of the sessions that it names."""
        unchecked = Call(services=self._services, connection=connection, params=params, sight=Sight())
        agents = {None, params.maybe_text("agentId"), params.maybe_text("agent")}

        def resolve(text: str) -> frozenset[SessionKey]:
            return frozenset(unchecked.resolve(text, agent_id=agent) for agent in agents)

        sight = await load_sight(self._services.gateway.owners, connection.caller, params, resolve)
        return replace(unchecked, sight=sight)

    def _check_alive(self, connection: Connection) -> None:
        """Raises `Forbidden` for a client whose token has ended and that is not closed yet (LEAK-3)."""
        if has_expired(connection.caller, now=self._services.clock.now()):
            connection.dismiss("token expired")
        if connection.is_dismissed:
            raise Forbidden("unauthorized: the token of this connection has ended", fix="Connect with another one.")

    def _tell(self, error: InstarError, connection: Connection) -> ErrorShape:
        """The error without secrets, and without places on this machine for whoever does not own the gateway."""
        shape = wire_error(error, is_owner=has_scope(connection.caller.scopes, ADMIN))
        return msgspec.structs.replace(shape, message=self._services.redactor.text(shape.message))

    def _is_remembered(self, method: Method, key: str) -> bool:
        return method.side_effect and not method.durable and bool(key)


def _holder(caller: Caller) -> str:
    """Whose results these are: of one token, or of whoever has the gateway's own secret."""
    return f"{caller.token_id or 'secret'} {caller.principal or caller.role}"


def _unknown(name: str) -> str:
    if name == "connect":
        return "connect is only valid as the first request"
    return f"unknown method: {_shown(name)}"


def _shown(name: str) -> str:
    return name if len(name) <= METHOD_SHOWN_MAX_CHARS else name[:METHOD_SHOWN_MAX_CHARS] + "…"
