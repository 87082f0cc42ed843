"""Who a client is, by its credentials alone (GW-8, GW-9, LEAK-3, LEAK-10).

Being on the same machine proves nothing. What a client says of itself (its id, its mode, the scopes it would like)
is for logs, or narrows what its secret allows.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from dataclasses import dataclass
from typing import Final, Literal

from instar.api.settings import ApiSettings, AuthSettings
from instar.core.model.ids import Instant
from instar.core.model.token import ShownToken
from instar.core.policy.scopes import OWNER_SCOPES
from instar.errors import ConfigError

__all__ = ["Authority", "Refused", "authenticate", "check_bind", "is_loopback", "same_secret"]

AuthMode = Literal["token", "password"]
Problem = Literal["missing", "mismatch", "missing_config", "expired", "revoked"]

_TELL: Final[dict[Problem, str]] = {
    "missing": "gateway {mode} missing (send auth.{mode}; `instar status` shows where it is kept)",
    "mismatch": "gateway {mode} mismatch (it is not the {mode} of this gateway)",
    "missing_config": "gateway {mode} not configured (set gateway.auth.{mode})",
    "expired": "this {mode} has expired (ask for a new one: `instar tokens create`)",
    "revoked": "this {mode} was revoked (ask for a new one: `instar tokens create`)",
}

_CODE: Final[dict[Problem, str]] = {
    "missing": "MISSING",
    "mismatch": "MISMATCH",
    "missing_config": "NOT_CONFIGURED",
    "expired": "EXPIRED",
    "revoked": "REVOKED",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """What credentials allow: every scope for the gateway's own secret, and the person they belong to.

    `token_id` and `expires_at` are those of a token (`Caller`).
    """

    scopes: frozenset[str]
    principal: str | None = None
    token_id: str | None = None
    expires_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Credentials that open nothing, and why, in words and for programs."""

    mode: AuthMode
    problem: Problem

    @property
    def reason(self) -> str:
        """``token_missing``, ``password_mismatch`` and so on (GW-8)."""
        return f"{self.mode}_{self.problem}"

    @property
    def message(self) -> str:
        """A sentence for the person who reads the client's log."""
        return f"unauthorized: {_TELL[self.problem].format(mode=self.mode)}"

    @property
    def details(self) -> dict[str, object]:
        """The facts that clients look at before they try again."""
        return {
            "code": f"AUTH_{self.mode.upper()}_{_CODE[self.problem]}",
            "authReason": self.reason,
            "canRetryWithDeviceToken": False,
            "recommendedNextStep": "update_auth_credentials",
        }


def authenticate(
    settings: AuthSettings, *, token: str | None, password: str | None, shown: ShownToken | None = None
) -> Authority | Refused:
    """What the credentials of a `connect` or a bearer header allow, or why they open nothing.

    `shown` is the stored token that `token` turned out to be, None if it is none: then it has to be the gateway's own
    secret. A stored token opens a gateway with a password too.
    """
    if shown is not None:
        return _authenticate_token(shown)
    given = token if settings.mode == "token" else password
    if not settings.secret:
        return Refused(mode=settings.mode, problem="missing_config")
    if not given:
        return Refused(mode=settings.mode, problem="missing")
    if not same_secret(given, settings.secret):
        return Refused(mode=settings.mode, problem="mismatch")
    return Authority(scopes=OWNER_SCOPES)


def _authenticate_token(shown: ShownToken) -> Authority | Refused:
    token = shown.token
    if shown.problem is not None:
        return Refused(mode="token", problem=shown.problem)
    return Authority(scopes=token.scopes, principal=token.principal, token_id=token.id, expires_at=token.expires_at)


def same_secret(given: str, expected: str) -> bool:
    """Whether two secrets are equal, in a time that tells neither where they differ nor how long they are."""
    return hmac.compare_digest(
        hashlib.sha256(given.encode("utf-8", "surrogatepass")).digest(),
        hashlib.sha256(expected.encode("utf-8", "surrogatepass")).digest(),
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a listener on `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_bind(settings: ApiSettings) -> None:
    """Raises `ConfigError` when the gateway would be open to the network without a secret (GW-9, LEAK-10)."""
    if not settings.auth.secret and not is_loopback(settings.host):
        raise ConfigError(
            f"The gateway would listen on {settings.host} without a secret",
            why="whoever reaches that address could read every conversation and give orders",
            fix=f"Set gateway.auth.{settings.auth.mode}, or bind to 127.0.0.1.",
            path=f"gateway.auth.{settings.auth.mode}",
        )
