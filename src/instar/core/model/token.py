"""Credentials beside the gateway's own secret: what one is, without the secret itself (LEAK-3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from instar.core.model.ids import Instant

__all__ = ["TOKEN_PREFIX", "ShownToken", "Token", "TokenProblem"]

TOKEN_PREFIX: Final = "ist_"  # noqa: S105 - how every token begins, no token
"""What every token begins with: people recognise one, and redaction finds it by its shape (LEAK-12)."""

TokenProblem = Literal["expired", "revoked"]
"""Why a token that exists opens nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One token as it is stored. The token's text is known to its holder alone; `id` names it.

    `principal` is the person that it belongs to, None for one that is as good as the owner's within its scopes.
    `expires_at` None means never. `last_used_at` is a minute or so behind. A revoked token keeps its row.
    """

    id: str
    role: str
    scopes: frozenset[str]
    created_by: str
    created_at: Instant
    label: str | None = None
    principal: str | None = None
    expires_at: Instant | None = None
    last_used_at: Instant | None = None
    revoked_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownToken:
    """A token that a client showed and that exists; `problem` says why it opens nothing all the same."""

    token: Token
    problem: TokenProblem | None = None
