"""Credentials in the database (LEAK-3).

Invariants kept here: a token is stored by the hash of its text only; one that was revoked stays revoked.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import msgspec

from instar.core.model.change import Noted
from instar.core.model.ids import Instant
from instar.core.model.token import Token
from instar.stores.decisions import record_decisions
from instar.stores.rows import format_json
from instar.stores.transaction import Engine, Row, Transaction

__all__ = ["TOKENS_LISTED_MAX", "TokenRows"]

TOKENS_LISTED_MAX: Final = 10_000
"""More than anybody hands out by hand; a list that is cut ends with the oldest."""


class TokenRows:
    """Keeps `instar.ports.tokens.TokenStore`, which tells what each method means."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def save(self, token: Token, *, token_hash: str, noted: Noted) -> None:
        """Keep a new token."""
        await self._engine.write(lambda tx: _save_token(tx, token, token_hash, noted), purpose="new")

    async def find(self, token_hash: str) -> Token | None:
        """The token whose text has this hash, whatever its state."""
        return await self._engine.read(lambda tx: _find_token(tx, token_hash), is_short=True)

    async def list(self) -> tuple[Token, ...]:
        """Every token, the newest first."""
        return await self._engine.read(_list_tokens)

    async def note_use(self, token_id: str, *, now: Instant) -> None:
        """A token was used."""
        await self._engine.write(lambda tx: tx.run("note_token_use", {"id": token_id, "at": now}))

    async def revoke(self, token_id: str, *, now: Instant, noted: Noted) -> Token | None:
        """End a token for good."""
        return await self._engine.write(lambda tx: _revoke_token(tx, token_id, now, noted), purpose="freeing")


def _save_token(tx: Transaction, token: Token, token_hash: str, noted: Noted) -> None:
    columns = {
        "id": token.id,
        "hash": token_hash,
        "label": token.label,
        "role": token.role,
        "scopes": format_json(sorted(token.scopes)),
        "principal": token.principal,
        "created_by": token.created_by,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
    }
    tx.run("insert_token", columns)
    record_decisions(tx, (noted,), key=None, now=token.created_at)


def _find_token(tx: Transaction, token_hash: str) -> Token | None:
    row = tx.one("find_token", {"hash": token_hash})
    return None if row is None else _read(row)


def _list_tokens(tx: Transaction) -> tuple[Token, ...]:
    return tuple(_read(row) for row in tx.all("list_tokens", {"limit": TOKENS_LISTED_MAX}))


def _revoke_token(tx: Transaction, token_id: str, now: Instant, noted: Noted) -> Token | None:
    row = tx.one("load_token", {"id": token_id})
    if row is None:
        return None
    token = _read(row)
    if token.revoked_at is not None:
        return token
    tx.run("revoke_token", {"id": token_id, "at": now})
    record_decisions(tx, (noted,), key=None, now=now)
    return replace(token, revoked_at=now)


def _read(row: Row) -> Token:
    token_id, label, role, scopes, principal, created_by, created_at, expires_at, last_used_at, revoked_at = row
    return Token(
        id=token_id,
        label=label,
        role=role,
        scopes=frozenset(msgspec.json.decode(scopes, type=list[str])),
        principal=principal,
        created_by=created_by,
        created_at=created_at,
        expires_at=expires_at,
        last_used_at=last_used_at,
        revoked_at=revoked_at,
    )
