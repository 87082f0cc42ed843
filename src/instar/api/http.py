"""What the gateway says over plain HTTP: that it lives, and what it is (GW-16, DASH-5)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from html import escape
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from instar.api.signin import SignIn
from instar.core.model.view import GatewayFacts
from instar.protocol.version import NEWEST, OLDEST

__all__ = ["STYLE", "Pages", "SecurityHeaders", "answer_error"]

STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem;color:#222;"
    "background:#fafaf8}code,pre{font:14px/1.5 ui-monospace,monospace;background:#eee;border-radius:4px}"
    "code{padding:.1em .3em}pre{padding:.8em;overflow:auto}"
)
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

_HEADERS: Final = (
    ("content-security-policy", _POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
)


class SecurityHeaders:
    """Adds the headers that keep other sites out of every HTTP answer; one that a page sets itself is kept."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, with headers added to the start of an HTTP response."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                added = [(name.encode(), value.encode()) for name, value in _HEADERS if name.encode() not in present]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        await self._app(scope, receive, send_with_headers)


class Pages:
    """The few pages of the gateway itself. None of them tells anything about sessions or people."""

    def __init__(
        self,
        facts: Callable[[], GatewayFacts],
        *,
        is_closing: Callable[[], bool],
        find_signin: Callable[[Request], SignIn | None],
    ) -> None:
        self._facts = facts
        self._is_closing = is_closing
        self._find_signin = find_signin

    async def health(self, request: Request) -> Response:
        """``GET /health``: whether the gateway takes messages."""
        del request
        is_ok = not self._is_closing()
        return JSONResponse({"ok": is_ok}, status_code=200 if is_ok else 503)

    async def welcome(self, request: Request) -> Response:
        """``GET /``: what is running here and how to talk to it."""
        host = request.headers.get("host", "127.0.0.1:18789")
        return HTMLResponse(_welcome(self._facts().version, host, self._find_signin(request)))

    async def control_ui_config(self, request: Request) -> Response:
        """What a Control UI of the protocol asks for before it connects."""
        del request
        facts = self._facts()
        return JSONResponse(
            {
                "basePath": "",
                "assistantName": "Assistant",
                "assistantAvatar": "",
                "assistantAgentId": facts.default_agent_id,
                "serverVersion": facts.version,
            }
        )


async def answer_error(request: Request, error: Exception) -> Response:
    """An HTTP error as JSON, since only programs get here."""
    del request
    status = getattr(error, "status_code", 500)
    detail = getattr(error, "detail", "internal error")
    return JSONResponse({"error": detail}, status_code=status, headers=getattr(error, "headers", None))


def _welcome(version: str, host: str, signin: SignIn | None) -> str:
    if signin is None:
        state = "<p>You are not signed in. A link that signs this browser in:</p><pre>instar dashboard</pre>"
    else:
        who = signin.authority.principal or "the owner of this gateway"
        state = (
            f"<p>You are signed in as {escape(who)}.</p>"
            '<form method="post" action="/signout"><button>Sign out</button></form>'
        )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Instar</title>
<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>
<body><h1>Instar {escape(version)} is running</h1>
<p>This is a session gateway for AI agents: it owns the conversations between people and an agent.</p>
{state}
<p>Talk to the agent in a terminal:</p><pre>instar chat</pre>
<p>See what it holds:</p><pre>instar status
instar sessions list</pre>
<p>Programs connect by WebSocket to <code>ws://{escape(host)}/</code> (OpenClaw gateway protocol {OLDEST} and {NEWEST},
with the token that <code>instar status</code> names), or act as a chat channel over plain HTTP:
<code>POST /channels/&lt;name&gt;/inbound</code>.</p>
<p>Whether it lives: <code>GET /healthz</code>.</p>
</body></html>
"""
