"""Credentials as a store keeps them (LEAK-3): by the hash of their text, never the text itself.

Every method may raise a `StoreError`; then nothing of it was stored.
"""

from __future__ import annotations

from typing import Protocol

from instar.core.model.change import Noted
from instar.core.model.ids import Instant
from instar.core.model.token import Token

__all__ = ["TokenStore"]


class TokenStore(Protocol):
    """Tokens by the SHA-256 of their text, in hexadecimal digits."""

    async def save(self, token: Token, *, token_hash: str, noted: Noted) -> None:
        """Keep a new token, with the record of it (WHY-1)."""
        ...

    async def find(self, token_hash: str) -> Token | None:
        """The token whose text has this hash, whatever its state; None if there is none."""
        ...

    async def list(self) -> tuple[Token, ...]:
        """Every token, revoked ones too, the newest first."""
        ...

    async def note_use(self, token_id: str, *, now: Instant) -> None:
        """A token was used."""
        ...

    async def revoke(self, token_id: str, *, now: Instant, noted: Noted) -> Token | None:
        """End a token for good, with the record of it; as it is now, None if there is none.

        Revoking twice changes nothing and is recorded once.
        """
        ...
