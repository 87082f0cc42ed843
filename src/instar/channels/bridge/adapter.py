"""The bridge channel: HTTP routes below ``/channels/<name>/`` (LOSS-1, LOSS-5, LEAK-4).

``POST inbound`` answers only after the commit. ``GET outbound`` hands out every reply that has no receipt yet, oldest
first, and waits for one if there is none; ``POST outbound/<id>/receipt`` ends a reply. So a bridge may crash at any
moment and repeat whatever it is not sure of: a message is accepted once, and a reply is handed out until it is
confirmed. ``POST members`` says who is in a group.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from instar.channels.bridge.parse import parse_inbound, parse_json, parse_members, parse_number, parse_receipt
from instar.channels.bridge.render import render_acknowledgement, render_outbound
from instar.config.sections.channels import ChannelSettings
from instar.core.model.ids import ChannelName, DeliveryId
from instar.core.model.message import Outbound
from instar.errors import ChannelError, ConfigError, InvalidRequest, StoreError, Unavailable
from instar.ports.channel import Capabilities, ChannelContext, Receipt
from instar.ports.http_channel import AsgiApp
from instar.protocol.frames import CONNECTED_FRAME_MAX_BYTES

__all__ = ["BridgeChannel", "build_bridge"]

BODY_MAX_BYTES: Final = CONNECTED_FRAME_MAX_BYTES
"""As for a frame of the WebSocket: three attachments fit."""

BODY_WAIT_S: Final = 60.0
"""A body that is not there by then belongs to a bridge that hangs."""

WAIT_MAX_S: Final = 60.0
"""Longest long poll; proxies cut connections that are quiet for longer."""

BATCH_MAX: Final = 100
BATCH_DEFAULT: Final = 20

POLLS_MAX: Final = 32
"""Long polls at once; a bridge needs one."""

RETRY_AFTER_S: Final = 2

log = structlog.get_logger(__name__)


def build_bridge(settings: ChannelSettings) -> BridgeChannel:
    """A bridge from its configuration. Raises `ConfigError` when it has no token."""
    if not settings.token:
        raise ConfigError(
            f'The bridge "{settings.name}" has no token',
            why="without one every program of this machine could speak for everybody",
            fix="Write a long random text.",
            path=f"{settings.path}.token",
        )
    return BridgeChannel(settings.name, token=settings.token)


class BridgeChannel:
    """One bridge. Keeps `instar.ports.channel.Channel` and `instar.ports.http_channel.HttpChannel`."""

    def __init__(self, name: ChannelName, *, token: str) -> None:
        self._name = name
        self._token_digest = hashlib.sha256(token.encode()).digest()
        self._context: ChannelContext | None = None
        self._stopping = asyncio.Event()
        self._polls = 0
        self._app = Starlette(
            routes=[
                Route("/inbound", self._guarded(self._take), methods=["POST"]),
                Route("/members", self._guarded(self._note_members), methods=["POST"]),
                Route("/outbound", self._guarded(self._hand_out), methods=["GET"]),
                Route("/outbound/{delivery_id}/receipt", self._guarded(self._settle), methods=["POST"]),
            ],
            exception_handlers={HTTPException: _answer_http_error},
        )

    # --- the channel --------------------------------------------------------------------------------------------------

    @property
    def name(self) -> ChannelName:
        """The name in configuration and in every key."""
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        """A bridge fetches, and knows a reply again by its delivery id."""
        return Capabilities(pulls=True, tells_repeats=True)

    @property
    def http_app(self) -> AsgiApp:
        """The routes."""
        return self._app

    async def start(self, context: ChannelContext) -> None:
        """Begin to take messages."""
        self._stopping.clear()
        self._context = context

    async def stop(self) -> None:
        """Take no more messages and end every long poll. May be called twice."""
        self._context = None
        self._stopping.set()

    async def send(self, outbound: Outbound) -> Receipt:
        """Never asked: a bridge fetches its replies."""
        raise ChannelError(f"The bridge {self._name} fetches its replies; {outbound.delivery_id} cannot be pushed")

    # --- the routes ---------------------------------------------------------------------------------------------------

    def _guarded(
        self, serve: Callable[[Request, ChannelContext], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """The route behind the token, with errors as the bridge is told them."""

        async def guarded(request: Request) -> Response:
            if not self._is_known(request):
                return _error(401, "the bearer token is missing or wrong", headers={"WWW-Authenticate": "Bearer"})
            if self._context is None:
                return _busy("the gateway is not ready or is stopping", retry_after_ms=None)
            try:
                return await serve(request, self._context)
            except InvalidRequest as error:
                return JSONResponse({"error": error.what, "field": error.field}, status_code=400)
            except Unavailable as error:
                return _busy(error.outside, retry_after_ms=error.retry_after_ms)
            except StoreError as error:
                log.warning("bridge_store_failed", channel=self._name, code=error.code, error=str(error))
                return _busy(error.outside, retry_after_ms=None)
            except HTTPException:
                raise  # an answer, not a failure
            except Exception:
                log.exception("bridge_request_failed", channel=self._name)
                return _error(500, "internal error; the gateway's log has it")

        return guarded

    def _is_known(self, request: Request) -> bool:
        """Whether the request carries the bridge's token; compared in constant time."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        digest = hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).digest()
        return hmac.compare_digest(digest, self._token_digest) and scheme.lower() == "bearer"

    async def _take(self, request: Request, context: ChannelContext) -> Response:
        body = await _read_body(request)
        inbound = parse_inbound(parse_json(body), channel=self._name)
        return JSONResponse(render_acknowledgement(await context.accept(inbound)))

    async def _note_members(self, request: Request, context: ChannelContext) -> Response:
        await context.report_members(parse_members(parse_json(await _read_body(request)), channel=self._name))
        return JSONResponse({"ok": True})

    async def _hand_out(self, request: Request, context: ChannelContext) -> Response:
        query = request.query_params
        wait_s = parse_number(query.get("wait"), name="wait", default=0.0, least=0.0, most=WAIT_MAX_S)
        limit = int(parse_number(query.get("max"), name="max", default=BATCH_DEFAULT, least=1, most=BATCH_MAX))
        if wait_s > 0:
            # Read to its end, so that the next thing heard from the bridge is that it hung up.
            await _read_body(request)
            return JSONResponse(render_outbound(await self._await_replies(request, context, limit, wait_s=wait_s)))
        return JSONResponse(render_outbound(await context.claim(limit)))

    async def _await_replies(
        self, request: Request, context: ChannelContext, limit: int, *, wait_s: float
    ) -> Sequence[Outbound]:
        """The replies that wait; without any, those that come within the time. None once the bridge has hung up."""
        if self._polls >= POLLS_MAX:
            raise Unavailable("Too many long polls at once", fix="One is enough.", retry_after_ms=RETRY_AFTER_S * 1000)
        self._polls += 1
        # Listening begins before looking: a reply that comes in between would otherwise wait for the next poll.
        listening = [asyncio.ensure_future(context.wait(wait_s)), asyncio.ensure_future(self._stopping.wait())]
        try:
            await asyncio.sleep(0)
            replies = await context.claim(limit)
            if replies:
                return replies
            await asyncio.wait(listening, return_when=asyncio.FIRST_COMPLETED)
            return () if await request.is_disconnected() else await context.claim(limit)
        finally:
            self._polls -= 1
            for task in listening:
                task.cancel()

    async def _settle(self, request: Request, context: ChannelContext) -> Response:
        receipt = parse_receipt(parse_json(await _read_body(request)))
        delivery_id = DeliveryId(request.path_params["delivery_id"])
        if not await context.settle(delivery_id, receipt):
            return _error(404, "this channel owes no such delivery")
        return JSONResponse({"ok": True})


async def _read_body(request: Request) -> bytes:
    """The whole body. Raises `HTTPException` 413 as soon as it is too long, not when it is all there; 408, 400."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_WAIT_S):
            async for part in request.stream():
                body += part
                if len(body) > BODY_MAX_BYTES:
                    raise HTTPException(413, f"the body is longer than {BODY_MAX_BYTES} bytes")
    except ClientDisconnect:
        raise HTTPException(400, "the body ended early") from None
    except TimeoutError:
        raise HTTPException(408, f"the body was not there within {BODY_WAIT_S:g} s") from None
    return bytes(body)


async def _answer_http_error(request: Request, error: Exception) -> Response:
    """Not found, wrong method, too long: as JSON, like every other answer."""
    del request
    if not isinstance(error, HTTPException):
        raise error
    return _error(error.status_code, error.detail, headers=dict(error.headers or {}))


def _busy(why: str, *, retry_after_ms: int | None) -> Response:
    """503: nothing was stored, repeat it."""
    seconds = RETRY_AFTER_S if retry_after_ms is None else max(1, -(-retry_after_ms // 1000))
    return _error(503, why, headers={"Retry-After": str(seconds)})


def _error(status: int, what: str, *, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": what}, status_code=status, headers=headers)
