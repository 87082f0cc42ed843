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
from instar.core.policy.scopes import OWNER_SCOPES
from instar.errors import ConfigError

__all__ = ["Authority", "Refused", "authenticate", "check_bind", "is_loopback", "same_secret"]

AuthMode = Literal["token", "password"]
Problem = Literal["missing", "mismatch", "missing_config"]

_TELL: Final[dict[Problem, str]] = {
    "missing": "gateway {mode} missing (send auth.{mode}; `instar status` shows where it is kept)",
    "mismatch": "gateway {mode} mismatch (it is not the {mode} of this gateway)",
    "missing_config": "gateway {mode} not configured (set gateway.auth.{mode})",
}

_CODE: Final[dict[Problem, str]] = {
    "missing": "MISSING",
    "mismatch": "MISMATCH",
    "missing_config": "NOT_CONFIGURED",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """What credentials allow: every scope for the gateway's own secret, and the person they belong to."""

    scopes: frozenset[str]
    principal: str | None = None


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


def authenticate(settings: AuthSettings, *, token: str | None, password: str | None) -> Authority | Refused:
    """What the credentials of a `connect` allow, or why they open nothing."""
    given = token if settings.mode == "token" else password
    if not settings.secret:
        return Refused(mode=settings.mode, problem="missing_config")
    if not given:
        return Refused(mode=settings.mode, problem="missing")
    if not same_secret(given, settings.secret):
        return Refused(mode=settings.mode, problem="mismatch")
    return Authority(scopes=OWNER_SCOPES)


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
