"""How a browser comes in: a link that opens once, then a cookie (LEAK-9).

A link carries a code that is good for a minute and for one use; it is exchanged for a cookie and the browser goes on to
an address without any secret in it. Whoever asked for the link decides what the cookie allows: it holds what their
credentials hold, and ends with them. Cookies are kept in memory by their hashes, so they end with the gateway, and with
that whenever its secret changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final
from weakref import WeakSet

from instar.api.auth import Authority
from instar.api.connection import Connection
from instar.api.shares import Shares
from instar.core.model.caller import Caller
from instar.core.model.ids import Instant
from instar.core.policy.rate import ShareSettings
from instar.ports.clock import Clock
from instar.ports.ids import IdSource

__all__ = ["COOKIE_TTL_MS", "LINK_TTL_MS", "SignIn", "SignIns"]

LINK_TTL_MS: Final = 60_000
COOKIE_TTL_MS: Final = 12 * 3_600_000

LINKS: Final = ShareSettings(each=8, all=32)
SIGN_INS: Final = ShareSettings(each=32, all=256)
"""Of one token or the gateway's own secret, and of all: beyond these the oldest of whoever has most go."""


@dataclass(slots=True, kw_only=True, eq=False)
class SignIn:
    """One signed-in browser: what it may, until when, and the sockets that it has open.

    `ends_s` is the same end by the clock that nobody sets: one that is set back must not make anything last longer.
    """

    authority: Authority
    ends_at: Instant
    ends_s: float
    connections: WeakSet[Connection] = field(default_factory=WeakSet)


class SignIns:
    """Links that wait to be opened and browsers that are signed in."""

    def __init__(self, clock: Clock, ids: IdSource, *, is_revoked: Callable[[str], bool]) -> None:
        self._clock = clock
        self._ids = ids
        self._is_revoked = is_revoked
        self._links: Shares[bytes, SignIn] = Shares(LINKS)
        self._cookies: Shares[bytes, SignIn] = Shares(SIGN_INS)

    def offer(self, caller: Caller) -> str:
        """The code of a link that lets one browser in with what `caller` may."""
        code = self._ids.token()
        authority = Authority(
            scopes=caller.scopes,
            principal=caller.principal,
            token_id=caller.token_id,
            expires_at=caller.expires_at,
        )
        _put(self._links, code, self._build(authority, LINK_TTL_MS))
        return code

    def redeem(self, code: str) -> str | None:
        """The cookie that a code is exchanged for; None for one that is unknown, used or too old."""
        link = self._links.pop(_digest(code))
        if link is None or not self._is_good(link):
            return None
        cookie = self._ids.token()
        signed_in = self._build(link.authority, COOKIE_TTL_MS)
        if link.authority.expires_at is not None:
            signed_in.ends_at = min(signed_in.ends_at, link.authority.expires_at)
        signed_in.authority = replace(link.authority, expires_at=signed_in.ends_at)
        _put(self._cookies, cookie, signed_in)
        return cookie

    def find(self, cookie: str | None) -> SignIn | None:
        """The browser that shows a cookie; None for none, and for one that has ended."""
        if not cookie:
            return None
        digest = _digest(cookie)
        found = self._cookies.get(digest)
        if found is None or self._is_good(found):
            return found
        self._cookies.pop(digest)
        return None

    def end(self, cookie: str | None) -> None:
        """Sign a browser out and close its sockets; does nothing for one that is not signed in."""
        found = self._cookies.pop(_digest(cookie or ""))
        for connection in tuple(found.connections) if found is not None else ():
            connection.dismiss("signed out")

    def _build(self, authority: Authority, after_ms: int) -> SignIn:
        clock = self._clock
        return SignIn(
            authority=authority,
            ends_at=Instant(clock.now() + after_ms),
            ends_s=clock.monotonic() + after_ms / 1000,
        )

    def _is_good(self, one: SignIn) -> bool:
        token_id = one.authority.token_id
        is_in_time = one.ends_at > self._clock.now() and one.ends_s > self._clock.monotonic()
        return is_in_time and (token_id is None or not self._is_revoked(token_id))


def _put(kept: Shares[bytes, SignIn], secret: str, one: SignIn) -> None:
    authority = one.authority
    kept.put(f"{authority.token_id or 'secret'} {authority.principal or ''}", _digest(secret), one)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
