"""Credentials beside the gateway's own secret: made, listed, revoked, and looked up when a client shows one (LEAK-3).

The text of a token is drawn here, handed out once, and never kept: the store has its SHA-256. A token is 256 random
bits, so a hash without salt and rounds is enough, and the time of the look-up tells nothing: whoever could use it would
have to invert the hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import structlog

from instar.core.model.caller import Caller
from instar.core.model.change import Noted
from instar.core.model.event import Event, TokenRevoked
from instar.core.model.token import TOKEN_PREFIX, ShownToken, Token
from instar.core.policy.tokens import TokenWish, decide_token, describe_token, is_use_worth_noting, plan_token
from instar.errors import InvalidRequest, NotFound, StoreError
from instar.gateway.doors import Doors, Visit
from instar.ports.clock import Clock
from instar.ports.ids import IdSource
from instar.ports.tokens import TokenStore

__all__ = ["Tokens", "hash_token"]

_ID_CHARS = 12
"""Of an id: enough that no two are alike, short enough to be typed after `instar tokens revoke`."""

log = structlog.get_logger(__name__)


class Tokens:
    """The tokens of one gateway."""

    def __init__(
        self, store: TokenStore, clock: Clock, ids: IdSource, publish: Callable[[Event], None], *, doors: Doors
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._publish = publish
        self._doors = doors

    async def create(self, wish: TokenWish, *, maker: Caller) -> tuple[Token, str]:
        """A new token and its text, which nobody can ask for again.

        Raises `InvalidRequest` for a wish too many, `Unavailable` while whose it is to be is erased for long.
        """
        token_id = self._ids.session_id().replace("-", "")[-_ID_CHARS:]
        plan = plan_token(wish, maker=maker, token_id=token_id, now=self._clock.now())
        if plan.token is None:
            raise InvalidRequest(f"No token was made: {plan.problem}", field=plan.field)
        text = f"{TOKEN_PREFIX}{self._ids.token()}"
        noted = Noted(decision=describe_token(token_id, "made", scopes=plan.token.scopes), who=maker.who)
        people = [one for one in (plan.token.principal, maker.principal) if one is not None]
        async with self._doors.passing(Visit(key=None, people=people, refusal="No token was made")):
            await self._store.save(plan.token, token_hash=hash_token(text), noted=noted)
        log.info("token_created", token=token_id, principal=plan.token.principal, who=maker.who)
        return plan.token, text

    async def list(self) -> tuple[Token, ...]:
        """Every token, revoked ones too, the newest first."""
        return await self._store.list()

    async def revoke(self, token_id: str, *, who: str) -> Token:
        """End a token for good and send away whoever came in by it. Raises `NotFound`."""
        noted = Noted(decision=describe_token(token_id, "revoked"), who=who)
        token = await self._store.revoke(token_id, now=self._clock.now(), noted=noted)
        if token is None:
            raise NotFound(f"There is no token {token_id}", fix="List them with `instar tokens list`.")
        log.info("token_revoked", token=token_id, who=who)
        self._publish(TokenRevoked(token_id=token_id))
        return token

    async def find(self, text: str) -> ShownToken | None:
        """The token that a client shows, with what is wrong with it; None for a text that is none.

        A good one is noted as used, at most once a minute.
        """
        if not text.startswith(TOKEN_PREFIX):
            return None
        token = await self._store.find(hash_token(text))
        if token is None:
            return None
        now = self._clock.now()
        problem = decide_token(token, now=now)
        if problem is None and is_use_worth_noting(token, now=now):
            try:
                await self._store.note_use(token.id, now=now)
            except StoreError as error:
                # A full disk must not lock people out: when a token was used is only told.
                log.warning("token_use_not_noted", token=token.id, error=str(error))
            token = replace(token, last_used_at=now)
        return ShownToken(token=token, problem=problem)


def hash_token(text: str) -> str:
    """The SHA-256 of a token's text in hexadecimal digits, as the store keeps it."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
