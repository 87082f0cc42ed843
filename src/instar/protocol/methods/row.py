"""What a row of the method table is, and the fields that many rows share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from instar.core.policy.scopes import ADMIN, READ, WRITE
from instar.protocol.params import Field

__all__ = [
    "ADMIN",
    "AGENT",
    "ATTACHMENTS",
    "IDEMPOTENCY",
    "IDEMPOTENCY_REQUIRED",
    "KEY",
    "LIMIT_200",
    "MESSAGE",
    "OFFSET_MAX",
    "QUEUE_MODE",
    "READ",
    "SESSION_KEY",
    "SESSION_KEY_MAX_CHARS",
    "TIMEOUT_MAX_MS",
    "WRITE",
    "Method",
    "flag",
    "ignored",
    "text",
    "whole",
]

SESSION_KEY_MAX_CHARS: Final = 4096
"""A bound on what is taken for a key at all; what a key may be is decided by `core.routing`."""

IDEMPOTENCY_KEY_MAX_CHARS: Final = 512

TIMEOUT_MAX_MS: Final = 24 * 3600 * 1000
"""No caller waits for a turn for longer than a day."""

OFFSET_MAX: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method. `side_effect` adds ``idempotencyKey`` and has results remembered (GW-13).

    `durable` says that the gateway itself remembers the key for ever, so that nothing else has to (LOSS-1). `waits`
    marks a method that only waits for something and changes nothing, whatever its scope.
    """

    name: str
    scope: str
    summary: str
    result: str
    rule: str
    fields: tuple[Field, ...] = ()
    side_effect: bool = False
    durable: bool = False
    waits: bool = False


def text(name: str, *, required: bool = False, most: int | None = None, note: str = "") -> Field:
    """A string of at least one character."""
    return Field(name=name, required=required, least=1, most=most, note=note)


def flag(name: str, note: str = "") -> Field:
    """A boolean."""
    return Field(name=name, kinds=("boolean",), note=note)


def whole(name: str, *, least: int = 0, most: int | None = None, note: str = "") -> Field:
    """An integer; one above `most` is lowered to it (RPC-30)."""
    return Field(name=name, kinds=("integer",), least=least, most=most, lowered=True, note=note)


def ignored(names: str) -> tuple[Field, ...]:
    """Fields that are accepted and ignored."""
    return tuple(Field(name=name, kinds=("any",), used=False) for name in names.split())


KEY = text("key", required=True, most=SESSION_KEY_MAX_CHARS)
SESSION_KEY = text("sessionKey", required=True, most=SESSION_KEY_MAX_CHARS)
AGENT = text("agentId", most=256)
LIMIT_200 = whole("limit", least=1, most=1000, note="default 200")
IDEMPOTENCY = text("idempotencyKey", most=IDEMPOTENCY_KEY_MAX_CHARS)
IDEMPOTENCY_REQUIRED = text("idempotencyKey", required=True, most=IDEMPOTENCY_KEY_MAX_CHARS)
MESSAGE = Field(name="message", required=True, note="at most 1 MiB of UTF-8")
QUEUE_MODE = Field(
    name="queueMode",
    choices=("steer", "followup", "collect", "interrupt", "steer-backlog", "fanout"),
    note="for this message, whatever the session's is (QUEUE-11)",
)
ATTACHMENTS = Field(
    name="attachments",
    kinds=("array",),
    most=64,
    items=Field(
        name="attachment",
        kinds=("object",),
        fields=(
            Field(name="type"),
            Field(name="mimeType"),
            Field(name="fileName"),
            Field(name="content", note="base64, at most 5 MB decoded"),
        ),
    ),
    note="each at most 5 MB decoded",
)
