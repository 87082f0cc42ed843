"""Tokens end to end: made, used, narrowed, expired, revoked (LEAK-3, GW-8)."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC

import pytest

from instar.api.server import ApiServer
from instar.api.settings import ApiSettings, AuthSettings
from instar.core.explain.story import tell
from instar.core.model.query import DecisionQuery
from instar.core.policy.scopes import ADMIN, OWNER_SCOPES, READ, WRITE
from instar.system.ids import SystemIds
from instar.testing.clock import ManualClock
from instar.testing.gateway import GatewayInMemory
from tests.builders.wire import TOKEN, build_connect, open_client, run_story

DAY_MS = 86_400_000


@asynccontextmanager
async def open_world(*, auth=None, config=None):
    clock, ids = ManualClock(), SystemIds()
    settings = ApiSettings(port=0, auth=auth or AuthSettings(token=TOKEN))
    async with (
        GatewayInMemory(config or {}, clock=clock, ids=ids) as world,
        ApiServer(settings, world.gateway, clock=clock, ids=ids) as server,
    ):
        yield world, server


async def make(server, **params):
    async with open_client(server) as owner:
        return await owner.ask("tokens.create", params)


async def refusal(server, token):
    async with open_client(server, greet=False) as client:
        await client.receive()
        error = await client.refusal("connect", build_connect(auth={"token": token}))
        return error, await client.closed()


def test_a_token_lets_in_with_what_it_holds_and_is_told_once():
    async def story():
        async with open_world() as (world, server):
            made = await make(server, label="phone", principal="Alice", scopes=["read", "write"], expiresInMs=DAY_MS)
            assert made["token"].startswith("ist_")
            assert len(made["token"]) > 40
            assert (made["principal"], made["scopes"], made["state"]) == ("alice", [READ, WRITE], "active")
            async with open_client(server, auth={"token": made["token"]}) as client:
                assert client.hello["auth"]["scopes"] == [READ, WRITE]
            async with open_client(server) as owner:
                (row,) = (await owner.ask("tokens.list"))["tokens"]
                assert row["id"] == made["id"]
                assert row["lastUsedAt"] is not None
                assert made["token"] not in str(row)
            assert made["token"] not in str(await world.store.tokens.list())

    run_story(story)


@pytest.mark.parametrize(
    ("scopes", "asked", "granted"),
    [
        (["read"], [ADMIN, WRITE, READ], [READ]),
        (["read"], [ADMIN], []),
        (["write"], [READ], [READ]),
        (["admin"], [WRITE], [WRITE]),
        (["read"], None, [READ]),
    ],
)
def test_what_a_client_asks_for_only_narrows_its_token(scopes, asked, granted):
    async def story():
        async with open_world() as (_, server):
            token = (await make(server, scopes=scopes))["token"]
            async with open_client(server, auth={"token": token}, scopes=asked) as client:
                assert client.hello["auth"]["scopes"] == granted
                error = await client.refusal("config.get")
                assert error["details"] == {"code": "MISSING_SCOPE", "missingScope": ADMIN}

    run_story(story)


def test_a_token_opens_a_gateway_that_has_a_password_too():
    async def story():
        async with open_world(auth=AuthSettings(mode="password", password="pw-pw-pw")) as (world, server):
            async with open_client(server, auth={"password": "pw-pw-pw"}) as owner:
                token = (await owner.ask("tokens.create", {"scopes": ["read"]}))["token"]
            async with open_client(server, auth={"token": token}) as client:
                assert client.hello["auth"]["scopes"] == [READ]
            error, _ = await refusal(server, token + "x")
            assert error["details"]["authReason"] == "password_missing"
            assert world.gateway is not None

    run_story(story)


def test_an_expired_token_says_so_and_its_open_connection_is_closed():
    async def story():
        async with open_world() as (world, server):
            token = (await make(server, expiresInMs=10_000))["token"]
            async with open_client(server, auth={"token": token}) as client:
                assert (await client.ask("agents.list"))["defaultId"] == "main"
                world.clock.advance(10)  # less than a tick
                error = await client.refusal("agents.list")
                assert error["code"] == "FORBIDDEN"
                assert await client.closed() == (1008, "token expired")
            error, (code, _) = await refusal(server, token)
            assert error["details"]["authReason"] == "token_expired"
            assert "expired" in error["message"]
            assert code == 1008

    run_story(story)


def test_an_idle_connection_is_closed_when_its_token_expires():
    async def story():
        async with open_world() as (world, server):
            token = (await make(server, expiresInMs=1000))["token"]
            async with open_client(server, auth={"token": token}) as client:
                await asyncio.sleep(0)
                world.clock.advance(31)
                assert await client.closed() == (1008, "token expired")

    run_story(story)


def test_making_and_taking_back_a_token_is_on_record():
    async def story():
        async with open_world() as (world, server), open_client(server) as owner:
            made = await owner.ask("tokens.create", {"scopes": ["read"], "principal": "alice"})
            await owner.ask("tokens.revoke", {"id": made["id"]})
            rows = await world.store.load_decisions(DecisionQuery(kind="access"))
            assert [tell(row, UTC) for row in rows] == [
                f"The token {made['id']} was taken back by operator. LEAK-3",
                f"The token {made['id']} was made with the scopes operator.read by operator. LEAK-3",
            ]
            assert made["token"] not in str(rows)

    run_story(story)


def test_an_expired_token_hears_nothing_more_before_the_next_tick():
    async def story():
        async with open_world() as (world, server), open_client(server) as owner:
            token = (await make(server, expiresInMs=10_000))["token"]
            async with open_client(server, auth={"token": token}) as client:
                await client.ask("sessions.subscribe")
                world.clock.advance(10)  # less than a tick
                await owner.ask("sessions.create")
                assert await client.closed() == (1008, "token expired")
                assert [event["event"] for event in client.events] == []

    run_story(story)


def test_a_token_of_ones_own_does_not_forgive_guesses_at_the_gateways_secret():
    async def story():
        async with open_world() as (_, server):
            token = (await make(server, scopes=["read"]))["token"]
            for guess in range(6):
                await refusal(server, f"wrong{guess}")
            async with open_client(server, auth={"token": token}) as client:
                assert (await client.ask("health"))["ok"]
            for guess in range(6):
                error, _ = await refusal(server, f"wrong too{guess}")
            assert error["message"].startswith("too many wrong secrets")

    run_story(story)


def test_revoking_closes_what_is_open_and_lets_nobody_in():
    async def story():
        async with open_world() as (_, server):
            made = await make(server)
            other = await make(server)
            async with (
                open_client(server) as owner,
                open_client(server, auth={"token": made["token"]}) as first,
                open_client(server, auth={"token": made["token"]}) as second,
                open_client(server, auth={"token": other["token"]}) as unharmed,
            ):
                revoked = await owner.ask("tokens.revoke", {"id": made["id"]})
                assert revoked["state"] == "revoked"
                assert await first.closed() == (1008, "token revoked")
                assert await second.closed() == (1008, "token revoked")
                assert (await unharmed.ask("health"))["ok"]
                assert (await owner.ask("tokens.revoke", {"id": made["id"]}))["revokedAt"] == revoked["revokedAt"]
            error, _ = await refusal(server, made["token"])
            assert error["details"]["authReason"] == "token_revoked"
            error, _ = await refusal(server, "ist_" + "0" * 43)
            assert error["details"]["authReason"] == "token_mismatch"

    run_story(story)


def test_nobody_makes_a_token_beyond_their_own():
    async def story():
        async with open_world() as (_, server):
            admin = await make(server, scopes=["admin"])
            async with open_client(server, auth={"token": admin["token"]}) as client:
                error = await client.refusal("tokens.create", {"scopes": ["operator.pairing"]})
                assert "you do not hold" in error["message"]
            writer = await make(server, scopes=["write"])
            async with open_client(server, auth={"token": writer["token"]}) as client:
                for method in ("tokens.create", "tokens.list", "tokens.revoke"):
                    assert (await client.refusal(method, {"id": admin["id"]}))["code"] == "FORBIDDEN"
            async with open_client(server) as owner:
                assert (await owner.refusal("tokens.revoke", {"id": "nope"}))["code"] == "INVALID_REQUEST"
                assert (
                    set((await owner.ask("tokens.create", {"scopes": sorted(OWNER_SCOPES)}))["scopes"]) == OWNER_SCOPES
                )

    run_story(story)


def test_a_channels_credentials_open_nothing_but_the_channel():
    async def story():
        config = {"channels": {"chat": {"type": "bridge", "token": "bridge-secret-of-the-channel"}}}
        async with open_world(config=config) as (_, server):
            error, _ = await refusal(server, "bridge-secret-of-the-channel")
            assert error["details"]["authReason"] == "token_mismatch"

    run_story(story)
