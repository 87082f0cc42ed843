"""How often strangers may try, and clients may send (LEAK-3): each answer says when to come back.

Guessing is counted per address and, over HTTP, per door, so that a program with a bad token does not keep another one
out. A token's sends are counted per token. The gateway's own secret is not counted: whoever has it may do anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

import structlog
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from instar.api.settings import Limits
from instar.core.model.caller import Caller
from instar.core.model.token import TOKEN_PREFIX
from instar.core.policy.rate import BackoffSettings, RateSettings
from instar.errors import QueueFull
from instar.ports.clock import Clock
from instar.system.limiter import FailureGuard, RateLimiter, address_key

__all__ = ["SENDING", "AttemptGuard", "Attempts"]

SENDING: Final = frozenset({"agent", "chat.inject", "chat.send", "sessions.send", "sessions.steer"})
"""Methods that put words before an agent: each may cost a model call."""

BAD: Final = 400
UNAUTHORIZED: Final = 401
TOO_MANY: Final = 429

log = structlog.get_logger(__name__)


class Attempts:
    """Failures by address, sends by token, messages by bridge."""

    def __init__(self, limits: Limits, *, clock: Clock) -> None:
        self.failures = FailureGuard(BackoffSettings(), clock=clock)
        self._sends = RateLimiter(
            RateSettings(burst=limits.sends_burst, per_minute=limits.sends_per_minute), clock=clock
        )
        self._inbound = RateLimiter(
            RateSettings(burst=limits.inbound_burst, per_minute=limits.inbound_per_minute), clock=clock
        )

    def check_send(self, method: str, caller: Caller) -> None:
        """Raises `QueueFull` when the token of `caller` has sent too much; other methods and the owner always pass."""
        if method not in SENDING or (caller.token_id is None and caller.principal is None):
            return
        wait_ms = self._sends.take(caller.token_id or caller.who)
        if wait_ms:
            raise QueueFull(
                "Too many messages were sent with this token",
                fix="Send the next one a little later.",
                retry_after_ms=wait_ms,
            )

    def take_inbound(self, credentials: str) -> int:
        """Take one message of a bridge: 0, or the milliseconds until the next is taken."""
        return self._inbound.take(hashlib.sha256(credentials.encode("utf-8", "surrogateescape")).hexdigest())


class AttemptGuard:
    """In front of every HTTP door behind a token: after too many wrong ones the address has to wait.

    Whoever shows nothing is not guessing, and is left to the door.
    """

    def __init__(self, app: ASGIApp, *, attempts: Attempts) -> None:
        self._app = app
        self._attempts = attempts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer 429."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        credentials = HTTPConnection(scope).headers.get("authorization")
        if credentials is None:
            await self._app(scope, receive, send)
            return
        key = address_key((scope.get("client") or ("",))[0], door=_door(scope["path"]))
        wait_ms = self._attempts.failures.wait_ms(key)
        if wait_ms:
            await _refuse("too many wrong tokens came from this address", wait_ms)(scope, receive, send)
            return
        if _is_inbound(scope) and (wait_ms := self._attempts.take_inbound(credentials)):
            await _refuse("too many messages came with this token", wait_ms)(scope, receive, send)
            return

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._note(key, message, forgives=not _is_somebodys(credentials))
            await send(message)

        await self._app(scope, receive, watch)

    def _note(self, key: str, message: Mapping[str, object], *, forgives: bool) -> None:
        status = int(str(message["status"]))
        if status == UNAUTHORIZED:
            self._attempts.failures.failed(key)
            log.info("token_refused", address=key)
        elif status < BAD and forgives:
            # Any other refusal may have come before the token was looked at, and forgives nothing.
            self._attempts.failures.succeeded(key)


def _door(path: str) -> str:
    """The first two parts of a path: one channel, one family of webhooks."""
    return "/".join(path.split("/", 3)[:3])


def _is_somebodys(credentials: str) -> bool:
    """Whether a token of a person or program is shown: its holder may still be guessing at the gateway's own secret."""
    return credentials.partition(" ")[2].strip().startswith(TOKEN_PREFIX)


def _is_inbound(scope: Scope) -> bool:
    return scope["method"] == "POST" and str(scope["path"]).endswith("/inbound")


def _refuse(why: str, wait_ms: int) -> JSONResponse:
    return JSONResponse({"error": why}, status_code=TOO_MANY, headers={"Retry-After": str(-(-wait_ms // 1000))})
