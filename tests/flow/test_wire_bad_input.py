"""Whatever a client sends, it gets a clear error or is closed, and everybody else is served on."""

import asyncio
import base64
import json
from contextlib import suppress

import pytest
from websockets.exceptions import ConnectionClosed

from instar.errors import StoreFull, Unavailable
from tests.builders.wire import build_connect, open_client, open_server, run_story

SEND = {"sessionKey": "main", "message": "hi", "idempotencyKey": "k1"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "malformed JSON"),
        ("{", "malformed JSON"),
        ("hello", "malformed JSON"),
        ("\x00\x01", "malformed JSON"),
        ("[" * 100_000, "Expected `object`"),
        ('{"type":"req","id":"x","method":"health","params":' + '{"a":' * 3000 + "1" + "}" * 3001, "nested too deeply"),
        ("[]", "Expected `object`, got `array`"),
        ('{"type":"event","event":"tick"}', "invalid request frame"),
        ('{"type":"req","id":"x","method":"health","extra":1}', "unknown field `extra`"),
        ('{"type":"req","id":5,"method":"health"}', "at /id"),
        ('{"type":"req","id":"x","method":"health","params":"p"}', "at /params"),
    ],
)
def test_a_frame_that_is_no_request_is_answered_and_the_connection_lives_on(text, says):
    async def story():
        async with open_server() as (server, _), open_client(server) as client:
            await client.socket.send(text)
            answer = await client.receive()
            assert answer["type"] == "res"
            assert answer["ok"] is False
            assert answer["error"]["code"] == "INVALID_REQUEST"
            assert says in answer["error"]["message"]
            assert (await client.ask("health"))["ok"]

    run_story(story)


def test_a_client_that_sends_nothing_but_noise_is_closed():
    async def story():
        async with open_server() as (server, _), open_client(server) as client:
            for _ in range(40):
                await client.socket.send("noise")
            code, reason = await client.closed()
            assert (code, reason) == (1008, "too many invalid frames")
            assert len(client.events) == 32

    run_story(story)


def test_a_first_frame_that_is_no_request_is_answered_and_closed():
    async def story():
        async with open_server() as (server, _), open_client(server, greet=False) as client:
            await client.receive()
            await client.socket.send("{")
            assert "malformed JSON" in (await client.receive())["error"]["message"]
            assert await client.closed() == (1008, "invalid request frame")

    run_story(story)


def test_a_first_frame_over_64_kib_is_refused_while_it_arrives():
    async def story():
        async with open_server() as (server, _), open_client(server, greet=False) as client:
            await client.receive()
            frame = {"type": "req", "id": "1", "method": "connect", "params": build_connect(userAgent="x" * 70_000)}
            await client.socket.send(json.dumps(frame))
            assert (await client.closed())[0] == 1009

    run_story(story)


def test_a_stranger_cannot_fill_the_memory_in_pieces():
    async def story():
        async with open_server() as (server, _), open_client(server, greet=False) as client:
            await client.receive()
            with suppress(ConnectionClosed):
                await client.socket.send("x" * 1000 for _ in range(10_000))
            assert (await client.closed())[0] == 1009

    run_story(story)


@pytest.mark.parametrize("greet", [True, False])
def test_binary_frames_are_refused(greet):
    async def story():
        async with open_server() as (server, _), open_client(server, greet=greet) as client:
            await client.socket.send(b"\x00\x01")
            assert await client.closed() == (1003, "text frames only")

    run_story(story)


def test_a_frame_over_25_mib_closes_the_connection_and_nobody_elses():
    async def story():
        async with open_server() as (server, _), open_client(server) as small, open_client(server) as client:
            with suppress(ConnectionClosed):
                await client.socket.send("x" * (26 * 1024 * 1024))
            assert (await client.closed())[0] == 1009
            assert (await small.ask("health"))["ok"]

    run_story(story)


def test_a_message_of_10_mb_is_refused_by_name_and_nothing_is_stored():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            error = await client.refusal("chat.send", {**SEND, "message": "x" * 10_000_000})
            assert error["code"] == "INVALID_REQUEST"
            assert error["message"] == "at /message: must NOT have more than 1048576 bytes (it has 10000000)"
            assert gateway.submissions == []
            longest = await client.ask("chat.send", {**SEND, "message": "ü" * (512 * 1024)})
            assert longest["status"] == "started"

    run_story(story)


@pytest.mark.parametrize(
    ("method", "params", "message"),
    [
        ("nope.nope", {}, "unknown method: nope.nope"),
        ("sessions.patch", {"bogus": 1}, None),
        ("sessions.list", {"limit": -3}, "invalid sessions.list params: at /limit: must be >= 1"),
        ("health", {"verbose": True}, "invalid health params: at root: unexpected property 'verbose'"),
        ("chat.history", {}, "invalid chat.history params: must have required property 'sessionKey'"),
        ("chat.send", {**SEND, "message": " "}, "message or attachment required"),
        ("chat.history", {"sessionKey": "   "}, "A session key must not be empty"),
        ("sessions.resolve", {}, "invalid sessions.resolve params: provide exactly one of key, sessionId, label"),
        (
            "sessions.resolve",
            {"key": "a", "label": "b"},
            "invalid sessions.resolve params: provide exactly one of key, sessionId, label (got key, label)",
        ),
        ("sessions.abort", {}, "invalid sessions.abort params: must have required property 'key'"),
        (
            "agent",
            {"message": "m", "idempotencyKey": "k", "agentId": "ghost"},
            "unknown agent id 'ghost': the agents are: main. Name one of them, or leave it out for the default one.",
        ),
        ("sessions.delete", {"key": "main"}, "Cannot delete the main session (agent:main:main)."),
    ],
)
def test_requests_that_make_no_sense_are_refused_by_name(method, params, message):
    async def story():
        async with open_server() as (server, _), open_client(server) as client:
            error = await client.refusal(method, params)
            assert error["code"] == "INVALID_REQUEST"
            assert error["message"] == message or message is None
            assert (await client.ask("health"))["ok"]

    run_story(story)


def test_an_unknown_method_with_an_endless_name_gets_a_short_answer():
    async def story():
        async with open_server() as (server, _), open_client(server) as client:
            error = await client.refusal("x" * 1_000_000)
            assert len(error["message"]) < 200

    run_story(story)


@pytest.mark.parametrize(
    "key",
    ["../../etc/passwd", "a\x00b", "agent:main:\u202emain", "x" * 10_000, "agent:main:telegram:direct:../..", "🦋"],
)
def test_hostile_ids_are_keys_or_refused_and_never_break_anything(key):
    async def story():
        async with open_server() as (server, _), open_client(server) as client:
            answer = await client.call("chat.history", {"sessionKey": key})
            assert answer["ok"] or answer["error"]["code"] == "INVALID_REQUEST"
            if answer["ok"]:
                assert "\x00" not in answer["payload"]["sessionKey"]
                assert "\u202e" not in answer["payload"]["sessionKey"]
            assert (await client.ask("health"))["ok"]

    run_story(story)


def attachment(size: int, **changes):
    content = base64.b64encode(bytes(size)).decode()
    return {**SEND, "attachments": [{"fileName": "f", "mimeType": "image/png", "content": content, **changes}]}


@pytest.mark.parametrize(
    ("params", "says"),
    [
        (attachment(5 * 1024 * 1024 + 1), "must NOT have more than 5242880 bytes decoded"),
        (attachment(1, content="not base64!"), "at /attachments/0/content: must be base64"),
        (attachment(1, content=""), "at /attachments/0/content: must have required property 'content'"),
        ({**SEND, "attachments": ["x"]}, "at /attachments/0: must be object"),
        ({**SEND, "attachments": [{}] * 65}, "must NOT have more than 64 items"),
    ],
)
def test_bad_attachments_are_refused_with_their_place(params, says):
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            assert says in (await client.refusal("chat.send", params))["message"]
            assert gateway.submissions == []

    run_story(story)


def test_an_attachment_of_5_mb_is_taken_as_it_came():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            await client.ask("chat.send", attachment(5 * 1024 * 1024) | {"message": ""})
            (taken,) = gateway.submissions[0].inbound.attachments
            assert (taken.name, taken.mime_type) == ("f", "image/png")
            assert len(base64.b64decode(taken.data_base64)) == 5 * 1024 * 1024

    run_story(story)


@pytest.mark.parametrize(
    ("error", "code", "retry_after_ms"),
    [
        (StoreFull("Cannot store the message", why="the disk is full", fix="Free some space."), "UNAVAILABLE", 1000),
        (Unavailable("The gateway is stopping", retry_after_ms=250), "UNAVAILABLE", 250),
    ],
)
def test_what_could_not_be_stored_is_not_acknowledged_and_may_be_repeated(error, code, retry_after_ms):
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            gateway.fail = error
            answer = await client.refusal("chat.send", SEND)
            assert (answer["code"], answer["retryable"], answer["retryAfterMs"]) == (code, True, retry_after_ms)
            gateway.fail = None
            assert (await client.ask("chat.send", SEND))["status"] == "started"

    run_story(story)


def test_a_defect_answers_one_request_and_hides_its_inside():
    async def story():
        async with open_server() as (server, gateway), open_client(server) as client:
            gateway.fail = ZeroDivisionError("secret inside")
            answer = await client.refusal("chat.send", SEND)
            assert answer["message"] == "internal error; the gateway's log has it"
            assert "secret" not in json.dumps(answer)
            gateway.fail = None
            assert (await client.ask("health"))["ok"]

    run_story(story)


def test_more_requests_in_flight_than_allowed_are_refused_at_once():
    async def story():
        async with open_server(limits={"requests_in_flight": 3}) as (server, gateway), open_client(server) as client:
            gateway.hold()
            await client.ask("chat.send", SEND)
            waits = [await client.post("agent.wait", {"runId": "k1", "timeoutMs": 20_000}) for _ in range(4)]
            refused = await client.response(waits[3])
            assert refused["error"]["code"] == "UNAVAILABLE"
            assert refused["error"]["retryable"] is True
            gateway.release()
            assert (await client.response(waits[0]))["payload"]["status"] == "ok"

    run_story(story)


def test_a_client_that_does_not_read_is_dropped_and_others_are_served():
    async def story():
        limits = {"send_buffer_max_bytes": 3_000_000}
        async with (
            open_server(limits=limits) as (server, gateway),
            open_client(server) as slow,
            open_client(server) as quick,
        ):
            slow.socket.transport.pause_reading()
            gateway.answer = "x" * 400_000
            for number in range(60):
                await quick.ask("chat.send", {**SEND, "idempotencyKey": f"k{number}"})
                await quick.event("chat", runId=f"k{number}", state="final")
                if len(server.hub) == 1:
                    break
            assert len(server.hub) == 1
            assert (await quick.ask("health"))["ok"]

    run_story(story)


def test_a_client_that_vanishes_leaves_nothing_behind():
    async def story():
        async with open_server() as (server, gateway):
            gateway.hold()
            async with open_client(server) as client:
                await client.ask("chat.send", SEND)
                await client.post("agent.wait", {"runId": "k1", "timeoutMs": 600_000})
                client.socket.transport.abort()
            for _ in range(6000):
                await asyncio.sleep(0.01)
                if not len(server.hub):
                    break
            assert not len(server.hub)
            gateway.release()

    run_story(story)
