"""Error codes on the wire ⇄ `instar.errors` (GW-3).

The wire has few codes and clients look at them; what went wrong in detail is in the message, and for programs in
`details`. Not found and not allowed to know look the same (LEAK-4): both are ``INVALID_REQUEST``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from instar.errors import Forbidden, InstarError, InvalidRequest, NotFound, StoreError, Unavailable

__all__ = ["WIRE_CODES", "ErrorShape", "WireCode", "parse_wire_error", "wire_error"]

WireCode = Literal["INVALID_REQUEST", "UNAVAILABLE", "NOT_LINKED", "NOT_PAIRED", "AGENT_TIMEOUT", "FORBIDDEN"]

WIRE_CODES: Final[Mapping[WireCode, str]] = {
    "INVALID_REQUEST": "the request makes no sense, names nothing that exists, or has a field that is not known",
    "UNAVAILABLE": "not now; `retryable` and `retryAfterMs` say whether and when to repeat",
    "NOT_LINKED": "the channel is not linked to an account",
    "NOT_PAIRED": "the device or the sender is not approved",
    "AGENT_TIMEOUT": "the run did not end in time",
    "FORBIDDEN": "the credentials do not allow it; `details.missingScope` names the scope that would",
}
"""Every code with its meaning."""


class ErrorShape(msgspec.Struct, omit_defaults=True, rename="camel", frozen=True, kw_only=True):
    """An error as it stands in a response."""

    code: str
    message: str
    details: object = None
    retryable: bool | None = None
    retry_after_ms: int | None = None


def wire_error(error: InstarError, *, is_owner: bool = True) -> ErrorShape:
    """The error as clients are told: what, why and fix in one message, facts in `details`.

    Whoever does not own the gateway is not told where things lie on its machine (LEAK-12).
    """
    message = str(error) if is_owner else error.outside
    match error:
        case Forbidden():
            missing = error.missing_scope
            details = {"code": "MISSING_SCOPE", "missingScope": missing} if missing else None
            return ErrorShape(code="FORBIDDEN", message=message, details=details)
        case InvalidRequest():
            # Protocol messages are compared by clients and people as they are: no full stop, no sentence around them.
            return ErrorShape(
                code="INVALID_REQUEST", message=error.what if not error.why and not error.fix else message
            )
        case NotFound():
            return ErrorShape(code="INVALID_REQUEST", message=message)
        case Unavailable():
            return ErrorShape(code="UNAVAILABLE", message=message, retryable=True, retry_after_ms=error.retry_after_ms)
        case StoreError():
            return ErrorShape(
                code="UNAVAILABLE", message=message, details={"code": error.code}, retryable=True, retry_after_ms=1000
            )
        case _:
            return ErrorShape(code="UNAVAILABLE", message=message, details={"code": error.code})


def parse_wire_error(shape: ErrorShape) -> InstarError:
    """The error that a response carries, for the client; the message is kept as it came."""
    details = shape.details if isinstance(shape.details, Mapping) else {}
    match shape.code:
        case "FORBIDDEN":
            return Forbidden(shape.message, missing_scope=str(details.get("missingScope", "")))
        case "UNAVAILABLE" | "AGENT_TIMEOUT":
            return Unavailable(shape.message, retry_after_ms=shape.retry_after_ms)
        case _:
            return InvalidRequest(shape.message)
