"""What every store promises about credentials (LEAK-3)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from instar.core.model.change import Noted
from instar.core.model.ids import Instant
from instar.core.model.query import DecisionQuery
from instar.core.model.token import Token
from instar.core.policy.tokens import describe_token
from tests.builders.store import NOW, OpenStore

TOKEN = Token(
    id="t1",
    role="operator",
    scopes=frozenset({"operator.read", "operator.write"}),
    created_by="operator",
    created_at=NOW,
    label="Alice's phone",
    principal="alice",
    expires_at=Instant(NOW + 1000),
)


MADE = Noted(decision=describe_token("t1", "made", scopes=TOKEN.scopes))
REVOKED = Noted(decision=describe_token("t1", "revoked"), who="owner")


def test_a_token_is_found_by_its_hash_also_after_a_restart(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await store.tokens.save(TOKEN, token_hash="aa", noted=MADE)
            assert await store.tokens.find("aa") == TOKEN
            assert await store.tokens.find("ab") is None
        async with open_store() as store:
            assert await store.tokens.find("aa") == TOKEN

    asyncio.run(scenario())


def test_tokens_are_listed_newest_first(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            second = replace(TOKEN, id="t2", created_at=Instant(NOW + 5), principal=None, label=None, expires_at=None)
            await store.tokens.save(TOKEN, token_hash="aa", noted=MADE)
            await store.tokens.save(second, token_hash="bb", noted=MADE)
            assert await store.tokens.list() == (second, TOKEN)

    asyncio.run(scenario())


def test_a_use_is_noted_and_a_revocation_is_for_good(open_store: OpenStore):
    async def scenario():
        async with open_store() as store:
            await store.tokens.save(TOKEN, token_hash="aa", noted=MADE)
            await store.tokens.note_use("t1", now=Instant(NOW + 1))
            revoked = replace(TOKEN, last_used_at=Instant(NOW + 1), revoked_at=Instant(NOW + 2))
            assert await store.tokens.revoke("t1", now=Instant(NOW + 2), noted=REVOKED) == revoked
            assert await store.tokens.revoke("t1", now=Instant(NOW + 9), noted=REVOKED) == revoked
            assert await store.tokens.find("aa") == revoked
            rows = await store.load_decisions(DecisionQuery(kind="access"))
            assert [(row.decision.outcome, row.who) for row in rows] == [("revoked", "owner"), ("made", "gateway")]
            assert await store.tokens.revoke("t9", now=Instant(NOW), noted=REVOKED) is None

    asyncio.run(scenario())
