"""Methods about credentials (LEAK-3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from instar.api.call import Call, Handler
from instar.core.model.ids import Instant
from instar.core.model.token import Token
from instar.core.policy.tokens import TokenWish, decide_token

__all__ = ["HANDLERS"]


async def create_token(call: Call) -> object:
    """`tokens.create`."""
    params = call.params
    wish = TokenWish(
        label=params.text("label"),
        role=params.text("role", "operator"),
        scopes=params.texts("scopes"),
        principal=params.maybe_text("principal"),
        lifetime_ms=params.maybe_whole("expiresInMs"),
    )
    token, text = await call.gateway.tokens.create(wish, maker=call.caller)
    return {**_row(token, call.services.clock.now()), "token": text}


async def list_tokens(call: Call) -> object:
    """`tokens.list`."""
    now = call.services.clock.now()
    return {"tokens": [_row(token, now) for token in await call.gateway.tokens.list()]}


async def revoke_token(call: Call) -> object:
    """`tokens.revoke`."""
    token = await call.gateway.tokens.revoke(call.params.text("id"), who=call.caller.who)
    return {"ok": True, **_row(token, call.services.clock.now())}


def _row(token: Token, now: Instant) -> dict[str, object]:
    return {
        "id": token.id,
        "label": token.label,
        "role": token.role,
        "scopes": sorted(token.scopes),
        "principal": token.principal,
        "createdBy": token.created_by,
        "createdAt": token.created_at,
        "expiresAt": token.expires_at,
        "lastUsedAt": token.last_used_at,
        "revokedAt": token.revoked_at,
        "state": decide_token(token, now=now) or "active",
    }


HANDLERS: Final[Mapping[str, Handler]] = {
    "tokens.create": create_token,
    "tokens.list": list_tokens,
    "tokens.revoke": revoke_token,
}
