"""How a client is let in, and how it is not (GW-4…9, GW-11)."""

import asyncio
import errno
import json
import socket as sockets

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from instar.api.server import ApiServer
from instar.api.settings import ApiSettings, AuthSettings
from instar.core.policy.scopes import OWNER_SCOPES
from instar.errors import ConfigError
from instar.protocol.events import EVENTS
from instar.protocol.methods import METHODS
from instar.system.clock import SystemClock
from instar.system.ids import SystemIds
from tests.builders.fake_gateway import FakeGateway
from tests.builders.wire import TOKEN, build_connect, open_client, open_server, run_story


def test_the_gateway_speaks_first_and_greets_who_has_the_token():
    async def story():
        async with open_server() as (server, _), open_client(server, greet=False) as client:
            challenge = await client.receive()
            assert challenge["event"] == "connect.challenge"
            assert len(challenge["payload"]["nonce"]) >= 16
            assert isinstance(challenge["payload"]["ts"], int)
            hello = await client.ask("connect", build_connect())
            assert hello["type"] == "hello-ok"
            assert hello["protocol"] == 4
            assert hello["server"]["connId"]
            assert set(hello["features"]["methods"]) == set(METHODS)
            assert set(hello["features"]["events"]) == set(EVENTS)
            assert hello["auth"] == {"role": "operator", "scopes": sorted(OWNER_SCOPES)}
            assert hello["policy"]["maxPayload"] == 26_214_400
            assert hello["policy"]["maxBufferedBytes"] == 52_428_800
            assert hello["policy"]["tickIntervalMs"] == 30_000
            defaults = hello["snapshot"]["sessionDefaults"]
            assert hello["snapshot"]["stateDir"] == "/state"
            assert (defaults["mainKey"], defaults["mainSessionKey"]) == ("main", "agent:main:main")

    run_story(story)


@pytest.mark.parametrize(("lowest", "highest", "spoken"), [(3, 3, 3), (4, 4, 4), (3, 4, 4), (1, 9, 4)])
def test_the_highest_common_protocol_is_spoken(lowest, highest, spoken):
    async def story():
        async with (
            open_server() as (server, _),
            open_client(server, minProtocol=lowest, maxProtocol=highest) as client,
        ):
            assert client.hello["protocol"] == spoken

    run_story(story)


def refused(**changes):
    """Error, close code and reason of a `connect` with these changes."""

    async def story():
        method, settings = changes.pop("method", "connect"), changes.pop("server", {})
        async with open_server(**settings) as (server, _), open_client(server, greet=False) as client:
            await client.receive()
            error = await client.refusal(method, build_connect(**changes))
            return error, *await client.closed()

    return asyncio.run(story())


def test_a_client_of_another_age_is_told_and_closed_with_1002():
    error, code, reason = refused(minProtocol=5, maxProtocol=6)
    assert (error["code"], error["message"]) == ("INVALID_REQUEST", "protocol mismatch")
    assert error["details"] == {"code": "PROTOCOL_MISMATCH", "expectedProtocol": 4}
    assert (code, reason) == (1002, "protocol mismatch")


@pytest.mark.parametrize(
    ("auth", "server", "reason"),
    [
        pytest.param(None, {}, "token_missing", id="no credentials, although on the same machine"),
        pytest.param({"token": ""}, {}, "token_missing", id="an empty token"),
        pytest.param({"token": TOKEN + "x"}, {}, "token_mismatch", id="a longer token"),
        pytest.param({"token": TOKEN[:-1]}, {}, "token_mismatch", id="a shorter token"),
        pytest.param({"password": TOKEN}, {}, "token_missing", id="the token in the wrong place"),
        pytest.param({"token": TOKEN}, {"auth": AuthSettings()}, "token_missing_config", id="no token configured"),
        pytest.param(
            {"token": "p"}, {"auth": AuthSettings(mode="password", password="p")}, "password_missing", id="no password"
        ),
        pytest.param(
            {"password": "q"},
            {"auth": AuthSettings(mode="password", password="p")},
            "password_mismatch",
            id="a wrong password",
        ),
    ],
)
def test_credentials_that_open_nothing_are_named(auth, server, reason):
    error, code, _ = refused(auth=auth, server=server)
    assert error["details"]["authReason"] == reason
    assert error["message"].startswith("unauthorized: ")
    assert code == 1008
    assert TOKEN not in json.dumps(error)


def test_a_password_opens_a_gateway_that_asks_for_one():
    async def story():
        auth = AuthSettings(mode="password", password="open sesame")
        async with (
            open_server(auth=auth) as (server, _),
            open_client(server, auth={"password": "open sesame"}) as client,
        ):
            assert client.hello["snapshot"]["authMode"] == "password"

    run_story(story)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "health"}, "invalid handshake: first request must be connect"),
        ({"minProtocol": None}, "invalid connect params: must have required property 'minProtocol'"),
        ({"minProtocol": "4"}, "invalid connect params: at /minProtocol: must be integer"),
        ({"client": None}, "invalid connect params: must have required property 'client'"),
        ({"client": {"id": "x"}}, "invalid connect params: at /client: must have required property 'version'"),
        ({"shoe": 44}, "invalid connect params: at root: unexpected property 'shoe'"),
        ({"auth": {"token": 5}}, "invalid connect params: at /auth/token: must be string"),
        ({"auth": {"key": "x"}}, "invalid connect params: at /auth: unexpected property 'key'"),
        ({"scopes": "operator.admin"}, "invalid connect params: at /scopes: must be array"),
        ({"role": "node"}, "invalid connect params: at /role: role 'node' is not served"),
    ],
)
def test_a_bad_connect_is_told_what_is_wrong_and_closed_with_1008(changes, message):
    error, code, _ = refused(**changes)
    assert error["code"] == "INVALID_REQUEST"
    assert error["message"].startswith(message)
    assert code == 1008


def test_what_a_client_asks_for_only_narrows_what_its_token_allows():
    async def story():
        async with open_server() as (server, _):
            async with open_client(server, scopes=["operator.read", "operator.root"]) as client:
                assert "stateDir" not in client.hello["snapshot"], "where the host keeps things is the owner's to know"
                assert client.hello["auth"]["scopes"] == ["operator.read"]
                error = await client.refusal(
                    "chat.send", {"sessionKey": "main", "message": "hi", "idempotencyKey": "k"}
                )
                assert error["code"] == "FORBIDDEN"
                assert error["details"] == {"code": "MISSING_SCOPE", "missingScope": "operator.write"}
            async with open_client(server, scopes=[]) as client:
                error = await client.refusal("sessions.list")
                assert error["details"]["missingScope"] == "operator.read"

    run_story(story)


def test_who_may_administer_may_read():
    async def story():
        scopes = ["operator.admin", "operator.approvals", "operator.pairing"]
        async with open_server() as (server, _), open_client(server, scopes=scopes, caps=["tool-events"]) as client:
            assert (await client.ask("sessions.list"))["count"] == 0

    run_story(story)


def test_a_device_that_does_not_prove_its_key_is_refused_beside_a_good_token():
    """The proofs that count are in test_wire_devices."""
    device = {"id": "d", "publicKey": "p", "signature": "s", "signedAt": 1, "nonce": "n"}

    async def story():
        async with open_server() as (server, _), open_client(server, greet=False) as client:
            await client.receive()
            error = (await client.call("connect", build_connect(device=device)))["error"]
            assert error["details"] == {"code": "DEVICE_AUTH_PUBLIC_KEY_INVALID", "reason": "device-public-key"}
            assert await client.closed() == (1008, "device public key invalid")

    run_story(story)


def test_who_says_nothing_is_closed_with_1008():
    async def story():
        limits = {"connect_timeout_s": 0.05}
        async with open_server(limits=limits) as (server, _), open_client(server, greet=False) as client:
            assert await client.closed() == (1008, "handshake timeout")

    run_story(story)


def test_a_second_connect_is_refused_and_the_connection_lives_on():
    async def story():
        async with open_server() as (server, _), open_client(server) as client:
            error = await client.refusal("connect", build_connect())
            assert error["message"] == "connect is only valid as the first request"
            assert (await client.ask("health"))["ok"]

    run_story(story)


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://127.0.0.1:1", "null", "http://localhost.evil.example", "file://"]
)
def test_pages_of_other_origins_are_not_let_in(origin):
    async def story():
        async with open_server() as (server, _):
            with pytest.raises(InvalidStatus) as caught:
                async with open_client(server, headers={"Origin": origin}):
                    pass
            assert caught.value.response.status_code == 403

    run_story(story)


def test_a_name_that_was_pointed_here_is_no_origin_of_ours():
    async def story():
        async with open_server() as (server, _):
            headers = {"Origin": f"http://rebound.example:{server.port}", "Host": f"rebound.example:{server.port}"}
            with pytest.raises(InvalidStatus):
                async with open_client(server, headers=headers):
                    pass

    run_story(story)


def test_the_gateways_own_pages_and_listed_ones_are_let_in():
    async def story():
        async with open_server(allowed_origins=("https://panel.example",)) as (server, _):
            for origin in (f"http://127.0.0.1:{server.port}", "https://panel.example"):
                async with open_client(server, headers={"Origin": origin}) as client:
                    assert client.hello["type"] == "hello-ok"

    run_story(story)


def test_too_many_connections_are_refused():
    async def story():
        async with open_server(limits={"connections": 1}) as (server, _), open_client(server):
            with pytest.raises(InvalidStatus):
                async with open_client(server):
                    pass

    run_story(story)


def test_sockets_that_never_connect_do_not_use_up_the_rest():
    async def story():
        async with (
            open_server(limits={"greetings": 1}) as (server, _),
            open_client(server) as client,
            open_client(server, greet=False),
        ):
            with pytest.raises(InvalidStatus):
                async with open_client(server):
                    pass
            assert (await client.ask("health"))["ok"]

    run_story(story)


def build_server(**settings) -> ApiServer:
    return ApiServer(ApiSettings(**settings), FakeGateway(), clock=SystemClock(), ids=SystemIds())


def test_a_network_address_without_a_secret_is_not_bound():
    with pytest.raises(ConfigError, match=r"gateway\.auth\.token: The gateway would listen on 0\.0\.0\.0 without"):
        build_server(host="0.0.0.0", port=0)  # noqa: S104  # that it is refused is the test


def test_a_port_that_is_taken_is_named():
    async def story():
        with sockets.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(ConfigError, match=f"Cannot listen on 127.0.0.1:{port}"):
                async with build_server(port=port, auth=AuthSettings(token=TOKEN)):
                    pass

    run_story(story)


@pytest.mark.parametrize(
    ("reason", "way_out"),
    [(errno.EACCES, "Ports below 1024 belong to the system"), (errno.EADDRNOTAVAIL, "Name another address")],
)
def test_a_place_where_nobody_may_listen_has_its_own_way_out(monkeypatch, reason, way_out):
    def refuse(*_, **__):
        raise OSError(reason, "refused")

    async def story():
        with pytest.raises(ConfigError, match=way_out):
            async with build_server(port=80, auth=AuthSettings(token=TOKEN)):
                pass

    monkeypatch.setattr(sockets, "create_server", refuse)
    run_story(story)


def test_a_stop_is_announced_and_closes_every_connection():
    async def story():
        async with open_server() as (server, _):
            async with open_client(server) as client:
                await server.stop("restart", restart_expected_ms=1500)
                assert await client.event("shutdown") == {"reason": "restart", "restartExpectedMs": 1500}
                code, _ = await client.closed()
                assert code in {1001, 1012}
            with pytest.raises((ConnectionClosed, OSError, InvalidStatus)):
                async with open_client(server):
                    pass

    run_story(story)


def test_a_quiet_connection_hears_that_the_gateway_lives():
    async def story():
        async with open_server(limits={"tick_interval_s": 0.02}) as (server, _), open_client(server) as client:
            first, second = await client.event("tick"), await client.event("tick")
            assert second["ts"] >= first["ts"]
            assert client.hello["policy"]["tickIntervalMs"] == 20

    run_story(story)
