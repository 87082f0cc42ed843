"""The methods over plain HTTP: the same gate, one answer (LEAK-5, GW-8)."""

from __future__ import annotations

import asyncio
import http.client
import json

import pytest

from tests.builders.town import ALICE, BOB, open_town
from tests.builders.wire import TOKEN, open_server, run_story


async def post(server, body, *, token=TOKEN, path="/rpc", **headers):
    """Status, headers and JSON of one request."""

    def ask():
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        sent = {"Content-Type": "application/json", **headers}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request("POST", path, body=content, headers=sent)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, answer.headers, json.loads(text)

    return await asyncio.to_thread(ask)


def test_a_request_is_answered_as_on_the_socket():
    async def story():
        async with open_server() as (server, _):
            status, headers, frame = await post(server, {"method": "agents.list"})
            assert (status, frame["type"], frame["ok"], frame["payload"]["defaultId"]) == (200, "res", True, "main")
            assert headers["content-type"] == "application/json"
            assert headers["cache-control"] == "no-store"
            status, _, frame = await post(server, {"id": "7", "method": "nope", "params": {}})
            assert (status, frame["id"], frame["error"]["message"]) == (400, "7", "unknown method: nope")

    run_story(story)


@pytest.mark.parametrize(
    ("token", "reason"),
    [(None, "token_missing"), ("wrong", "token_mismatch"), ("ist_" + "0" * 43, "token_mismatch")],
)
def test_without_a_good_token_nothing_is_read(token, reason):
    async def story():
        async with open_server() as (server, fake):
            status, headers, answer = await post(server, {"method": "chat.send"}, token=token)
            assert (status, headers["www-authenticate"]) == (401, "Bearer")
            assert answer["error"]["details"]["authReason"] == reason
            assert fake.submissions == []

    run_story(story)


def test_a_token_of_ones_own_does_not_forgive_guesses_at_the_gateways_secret():
    async def story():
        async with open_town() as town:
            token = await town.token("alice")
            for _ in range(6):
                assert (await post(town.server, {"method": "health"}, token="wrong"))[0] == 401
            assert (await post(town.server, {"method": "health"}, token=token))[0] == 200
            told = [(await post(town.server, {"method": "health"}, token="wrong"))[0] for _ in range(6)]
            assert told == [401] * 5 + [429]

    run_story(story)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        pytest.param(b"{", {}, 400, id="no JSON"),
        pytest.param(b"[" * 10_000, {}, 400, id="too deep"),
        pytest.param([], {}, 400, id="no object"),
        pytest.param({"params": {}}, {}, 400, id="no method"),
        pytest.param({"method": "sessions.subscribe"}, {}, 400, id="needs a socket"),
        pytest.param({"method": "health"}, {"Content-Type": "text/plain"}, 415, id="what a form may send"),
        pytest.param({"method": "health"}, {"Origin": "https://evil.example"}, 403, id="another site"),
        pytest.param(b'"' + b"x" * 70_000 + b'"', {}, 413, id="too big"),
    ],
)
def test_what_is_no_request_is_refused(body, headers, status):
    async def story():
        async with open_server(limits={"frame_max_bytes": 65_536}) as (server, _):
            assert (await post(server, body, **headers))[0] == status

    run_story(story)


def test_a_persons_token_finds_what_is_theirs():
    async def story():
        async with open_town() as town:
            await town.populate()
            token = await town.token("alice")
            _, _, frame = await post(town.server, {"method": "sessions.list"}, token=token)
            assert [row["key"] for row in frame["payload"]["sessions"]] == [ALICE]
            status, _, frame = await post(town.server, {"method": "sessions.get", "params": {"key": BOB}}, token=token)
            assert (status, frame["error"]["code"]) == (400, "INVALID_REQUEST")
            status, _, frame = await post(town.server, {"method": "config.get"}, token=token)
            assert (status, frame["error"]["code"]) == (403, "FORBIDDEN")
            async with town.client() as owner:
                (row,) = (await owner.ask("tokens.list"))["tokens"]
                await owner.ask("tokens.revoke", {"id": row["id"]})
            status, _, answer = await post(town.server, {"method": "sessions.list"}, token=token)
            assert (status, answer["error"]["details"]["authReason"]) == (401, "token_revoked")

    run_story(story)
