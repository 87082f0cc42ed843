"""The pages by which a browser signs in and out (LEAK-9), and the guard in front of everything that is for browsers.

``GET /signin?code=…`` exchanges a code for a cookie and goes on to an address without it; ``POST /signout`` ends that.
The cookie is for this port alone, out of reach for scripts, and never sent on behalf of another site.
"""

from __future__ import annotations

from html import escape
from typing import Final

from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from instar.api.attempts import Attempts
from instar.api.http import STYLE
from instar.api.origin import is_host_known, is_own_origin
from instar.api.settings import ApiSettings
from instar.api.signin import COOKIE_TTL_MS, SignIns
from instar.system.limiter import address_key

__all__ = ["KnownHosts", "SignInPages", "cookie_name"]

_FOR_PROGRAMS: Final = ("/channels/", "/health", "/healthz", "/rpc")
"""Doors behind a token of their own, and those that tell nothing: they may be asked by any name."""


def cookie_name(connection: HTTPConnection) -> str:
    """The cookie's name. Cookies of one machine are shared by all its ports, so each gateway has a name of its own."""
    server = connection.scope.get("server")
    return f"instar-{server[1] if server else 0}"


class KnownHosts:
    """Answers pages only under addresses that are this gateway's (DNS rebinding)."""

    def __init__(self, app: ASGIApp, *, settings: ApiSettings) -> None:
        self._app = app
        self._allowed = settings.allowed_origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass what is asked of a known address on; refuse the rest with 421."""
        if scope["type"] == "http" and not scope["path"].startswith(_FOR_PROGRAMS):
            headers = HTTPConnection(scope).headers
            is_known = is_host_known(headers.get("host", ""), allowed=self._allowed)
            if not is_known and "authorization" not in headers:
                what = "this gateway does not answer under that name; list it in gateway.controlUi.allowedOrigins"
                await JSONResponse({"error": what}, status_code=421)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class SignInPages:
    """The two routes."""

    def __init__(self, signins: SignIns, attempts: Attempts, settings: ApiSettings) -> None:
        self._signins = signins
        self._attempts = attempts
        self._settings = settings

    async def sign_in(self, request: Request) -> Response:
        """``GET /signin?code=…``: the cookie, and on to the first page.

        A link that another site leads to is refused: with one of their own, somebody could sign this browser in as
        themselves without its owner noticing.
        """
        if request.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
            return _page("Another site led here. To sign in, copy the link into the address bar.")
        key = address_key(request.client.host if request.client else None, door="/signin")
        wait_ms = self._attempts.failures.wait_ms(key)
        if wait_ms:
            headers = {"Retry-After": str(-(-wait_ms // 1000))}
            return _page("Too many links that are no good came from here. Wait a little.", status=429, headers=headers)
        cookie = self._signins.redeem(request.query_params.get("code", ""))
        if cookie is None:
            self._attempts.failures.failed(key)
            return _page("This link was used already, or is older than a minute. Ask for another: instar dashboard")
        self._attempts.failures.succeeded(key)
        answer = RedirectResponse("/", status_code=303)
        answer.set_cookie(
            cookie_name(request),
            cookie,
            max_age=COOKIE_TTL_MS // 1000,
            httponly=True,
            samesite="strict",
            secure=_is_encrypted(request),
        )
        return answer

    async def sign_out(self, request: Request) -> Response:
        """``POST /signout``: the cookie opens nothing any more, and its sockets are closed."""
        headers = request.headers
        allowed = self._settings.allowed_origins
        if not is_own_origin(headers.get("origin"), host_header=headers.get("host", ""), allowed=allowed):
            return _page("Only a page of this gateway can sign you out.")
        self._signins.end(request.cookies.get(cookie_name(request)))
        answer = RedirectResponse("/", status_code=303)
        answer.delete_cookie(cookie_name(request), httponly=True, samesite="strict", secure=_is_encrypted(request))
        return answer


def _is_encrypted(request: Request) -> bool:
    """Whether the browser speaks TLS, as far as can be told; believing a proxy here only makes a cookie stricter."""
    return request.url.scheme == "https" or request.headers.get("x-forwarded-proto", "").lower() == "https"


def _page(text: str, *, status: int = 403, headers: dict[str, str] | None = None) -> Response:
    body = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Instar</title><style>{STYLE}</style></head>
<body><p>{escape(text)}</p></body></html>
"""
    return HTMLResponse(body, status_code=status, headers=headers)
