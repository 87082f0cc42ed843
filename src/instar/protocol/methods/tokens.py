"""Methods about credentials (LEAK-3)."""

from __future__ import annotations

from typing import Final

from instar.protocol.methods.row import ADMIN, Method, text, whole
from instar.protocol.params import Field

__all__ = ["TOKENS"]

_ROW: Final = "{id, label, role, scopes, principal, createdBy, createdAt, expiresAt, lastUsedAt, revokedAt, state}"

_TEN_YEARS_MS: Final = 10 * 366 * 86_400_000

TOKENS: Final = (
    Method(
        name="tokens.create",
        scope=ADMIN,
        summary="a new token; `token` in the answer is its text, which is stored nowhere and told this once, and again "
        "to whoever repeats the call with its `idempotencyKey`",
        result=f"`{_ROW}` and `token`",
        rule="LEAK-3",
        side_effect=True,
        fields=(
            text("label", most=128, note="what it is for"),
            Field(name="role", choices=("operator",)),
            Field(
                name="scopes",
                kinds=("array",),
                least=1,
                most=16,
                items=text("scope", most=64),
                note="`read`, `write`, `admin` or as the protocol writes them; without it reading and writing",
            ),
            text("principal", most=256, note="the person it belongs to: a linked identity or `<channel>:<id>`"),
            whole("expiresInMs", least=1, most=_TEN_YEARS_MS, note="without it the token does not expire"),
        ),
    ),
    Method(
        name="tokens.list",
        scope=ADMIN,
        summary="every token, revoked and expired ones too, the newest first; never their texts",
        result=f"`{{tokens: [{_ROW}]}}`",
        rule="LEAK-3",
    ),
    Method(
        name="tokens.revoke",
        scope=ADMIN,
        summary="end a token for good; connections that came in by it are closed",
        result=f"`{_ROW}` and `ok`",
        rule="LEAK-3",
        side_effect=True,
        fields=(text("id", required=True, most=128),),
    ),
)
