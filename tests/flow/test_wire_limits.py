"""Guessing gets slow, sending is counted by token, and slow or endless input is cut (LEAK-3, GW-7)."""

from __future__ import annotations

import asyncio
import http.client
import json
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect

from instar.api import patience
from instar.api.attempts import SENDING, Attempts
from instar.api.beacons import Beacons
from instar.api.call import Services
from instar.api.dispatch import Dispatcher
from instar.api.hub import Hub
from instar.api.server import ApiServer
from instar.api.settings import ApiSettings, AuthSettings, Limits
from instar.api.ws import SocketDoor
from instar.core.model.caller import Caller
from instar.errors import QueueFull
from instar.protocol.methods import METHODS
from instar.system.ids import SystemIds
from instar.testing.clock import ManualClock
from tests.builders.fake_gateway import FakeGateway
from tests.builders.wire import Client, build_connect, open_client, open_server, run_story

GUESSES = 11
"""One more than nobody minds."""


async def guess(server: ApiServer, **auth: str) -> dict[str, Any]:
    async with connect(server.url, compression=None) as socket:
        client = Client(socket)
        await client.receive()
        return await client.call("connect", build_connect(auth=auth or None))


async def post(server: ApiServer, path: str, token: str) -> tuple[int, dict[str, str], Any]:
    def talk() -> tuple[int, dict[str, str], Any]:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("POST", path, body=b"{}", headers={"Authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        body = json.loads(text) if text.startswith("{") else text
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body

    return await asyncio.to_thread(talk)


async def door(request: Request) -> JSONResponse:
    is_known = request.headers.get("authorization") == "Bearer good"
    return JSONResponse({"ok": is_known}, status_code=200 if is_known else 401)


def build_door() -> Starlette:
    return Starlette(routes=[Route("/inbound", door, methods=["POST"])])


def test_wrong_secrets_make_an_address_wait_and_the_right_one_is_let_in_again() -> None:
    async def story() -> None:
        clock = ManualClock()
        async with open_server(clock=clock) as (server, _):
            for _ in range(3 * GUESSES):
                assert (await guess(server))["error"]["details"]["authReason"] == "token_missing"
            for _ in range(GUESSES):
                answer = await guess(server, token="wrong")
                assert answer["error"]["details"]["authReason"] == "token_mismatch"
            waiting = await guess(server, token="wrong")
            assert waiting["error"]["code"] == "UNAVAILABLE"
            assert 0 < waiting["error"]["retryAfterMs"] <= 2000, "this machine is never locked out for long"
            clock.advance(waiting["error"]["retryAfterMs"] / 1000)
            async with open_client(server) as client:
                assert (await client.ask("health"))["ok"] is True
            assert (await guess(server, token="wrong"))["error"]["code"] == "INVALID_REQUEST"

    run_story(story)


def test_wrong_tokens_over_http_are_429_at_that_door_only() -> None:
    async def story() -> None:
        clock, mounts = ManualClock(), {"one": build_door(), "two": build_door()}
        async with open_server(clock=clock, mounts=mounts) as (server, _):
            for _ in range(3 * GUESSES):
                assert (await post(server, "/channels/one/inbound", ""))[0] == 401
            for _ in range(GUESSES):
                assert (await post(server, "/channels/one/nothing", "bad"))[0] == 404
                assert (await post(server, "/channels/one/inbound", "bad"))[0] == 401
            status, headers, body = await post(server, "/channels/one/inbound", "good")
            assert status == 429
            assert 1 <= int(headers["retry-after"]) <= 2
            assert "too many wrong tokens" in body["error"]
            assert (await post(server, "/channels/two/inbound", "good"))[0] == 200
            assert (await guess(server, token="x"))["error"]["code"] == "INVALID_REQUEST"
            clock.advance(int(headers["retry-after"]))
            assert (await post(server, "/channels/one/inbound", "good"))[0] == 200

    run_story(story)


def test_one_bridge_cannot_flood_the_gateway() -> None:
    async def story() -> None:
        limits = {"inbound_burst": 3, "inbound_per_minute": 60}
        async with open_server(clock=ManualClock(), mounts={"one": build_door()}, limits=limits) as (server, _):
            answers = [await post(server, "/channels/one/inbound", "good") for _ in range(4)]
            assert [status for status, _, _ in answers] == [200, 200, 200, 429]
            assert answers[3][1]["retry-after"] == "1"

    run_story(story)


def test_links_that_are_no_good_make_an_address_wait() -> None:
    async def story() -> None:
        async with open_server(clock=ManualClock()) as (server, _):

            def look() -> int:
                connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
                connection.request("GET", "/signin?code=guess")
                answer = connection.getresponse()
                answer.read()
                connection.close()
                return answer.status

            found = [await asyncio.to_thread(look) for _ in range(GUESSES + 1)]
            assert found == [403] * GUESSES + [429]

    run_story(story)


def test_a_token_sends_so_much_and_the_owner_as_much_as_they_like() -> None:
    clock = ManualClock()
    attempts = Attempts(Limits(sends_burst=2, sends_per_minute=60), clock=clock)
    ann = Caller(principal="ann", token_id="t1")
    for _ in range(2):
        attempts.check_send("chat.send", ann)
    with pytest.raises(QueueFull) as refused:
        attempts.check_send("sessions.send", ann)
    assert refused.value.retry_after_ms == 1000
    attempts.check_send("chat.history", ann)
    attempts.check_send("chat.send", Caller(principal="ann", token_id="t2"))
    for _ in range(100):
        attempts.check_send("chat.send", Caller())
    clock.advance(1)
    attempts.check_send("chat.send", ann)


def test_every_method_that_sends_is_a_method() -> None:
    assert METHODS.keys() >= SENDING - {"wake"}


def test_a_request_whose_head_never_ends_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "HEAD_WAIT_S", 0.3)

    async def story() -> None:
        async with open_server() as (server, _):
            for begun in (b"", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: "):
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(begun)
                assert await asyncio.wait_for(reader.read(), 30) == b""
                writer.close()

    run_story(story)


def test_a_second_request_on_a_connection_may_not_dawdle_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "HEAD_WAIT_S", 0.3)

    async def story() -> None:
        async with open_server() as (server, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert b"200 OK" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
            writer.write(b"GET /healthz HTTP/1.1\r\nHos")
            await asyncio.wait_for(reader.read(), 30)
            writer.close()

    run_story(story)


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X-A: b\r\n" * 5_000 + b"\r\n",
    ],
    ids=["a long header", "a long address", "many headers"],
)
def test_a_head_that_is_too_long_is_refused(head: bytes) -> None:
    async def story() -> None:
        async with open_server() as (server, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(head)
            answer = await asyncio.wait_for(reader.read(), 30)
            assert answer.split()[1] in {b"400", b"431"}, answer[:200]
            writer.close()
            async with open_client(server) as client:
                assert (await client.ask("health"))["ok"] is True

    run_story(story)


def build_socket(*, good_sends: int, says: str) -> WebSocket:
    """A socket whose client reads so much, says one thing, and is gone."""
    left = [good_sends]

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"} if left[0] == good_sends else {"type": "websocket.receive", "text": says}

    async def send(message: Any) -> None:  # Any: ASGI messages have no closer type
        del message
        left[0] -= 1
        if left[0] < 0:
            raise OSError("gone")

    scope = {"type": "websocket", "path": "/", "headers": [(b"host", b"127.0.0.1")], "client": ("127.0.0.1", 1)}
    return WebSocket(scope, receive, send)


@pytest.mark.parametrize("good_sends", [1, 2, 3])
def test_a_client_that_leaves_while_it_is_shown_the_door_is_no_defect(good_sends: int) -> None:
    async def story() -> None:
        clock, fake, limits = ManualClock(), FakeGateway(), Limits()
        services = Services(gateway=fake, clock=clock, ids=SystemIds())
        attempts = Attempts(limits, clock=clock)
        hub = Hub(clock, limits, fake.owners)
        door = SocketDoor(
            settings=ApiSettings(auth=AuthSettings(token="t")),
            services=services,
            dispatcher=Dispatcher(services, attempts),
            hub=hub,
            beacons=Beacons(hub, fake, clock, limits),
            attempts=attempts,
        )
        await door.serve(build_socket(good_sends=good_sends, says="no frame"))

    run_story(story)
