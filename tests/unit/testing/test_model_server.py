"""The local model server: what a test may rely on, seen by a plain HTTP client."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping

import httpx2
import pytest

from instar.core.model.entry import ToolCall
from instar.errors import InvariantBroken
from instar.testing.model_server import ModelServer
from instar.testing.script import (
    Asked,
    Fault,
    Reply,
    Spoken,
    call,
    finish_reply,
    play,
    slow_script,
    split_text,
    tool_script,
)

HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def post(server: ModelServer, path: str = "/v1/chat/completions", **body: object) -> httpx2.Response:
    return httpx2.post(server.url + path, json={"model": "m", "messages": HELLO, **body}, timeout=20)


def chunks(response: httpx2.Response) -> list[Mapping[str, object]]:
    lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def test_an_answer_comes_whole_or_streamed(server: ModelServer) -> None:
    whole = post(server).json()
    assert whole["choices"][0]["message"]["content"] == "You said: hello"
    streamed = post(server, stream=True)
    assert streamed.headers["content-type"] == "text/event-stream"
    text = "".join(str(chunk["choices"][0]["delta"].get("content", "")) for chunk in chunks(streamed))  # type: ignore[index]
    assert text == "You said: hello"
    assert streamed.text.endswith("data: [DONE]\n\n")


def test_usage_is_streamed_only_when_it_is_asked_for(server: ModelServer) -> None:
    assert not any("usage" in chunk for chunk in chunks(post(server, stream=True)))
    assert "usage" in chunks(post(server, stream=True, stream_options={"include_usage": True}))[-1]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/messages", {"max_tokens": 9}),
        ("/v1/responses", {"input": "hello"}),
        ("/v1beta/models/m:generateContent", {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}),
    ],
)
def test_every_format_answers_in_one_piece_too(server: ModelServer, path: str, body: Mapping[str, object]) -> None:
    response = post(server, path, **body)
    assert response.status_code == 200
    assert "You said: hello" in response.text
    assert server.requests[0].asked.model == "m"


def test_requests_are_recorded_in_order(server: ModelServer) -> None:
    post(server, model="one")
    post(server, model="two")
    assert [request.body["model"] for request in server.requests] == ["one", "two"]
    assert server.requests[0].asked == Asked(
        model="one", system="", spoken=(Spoken(role="user", text="hello"),), is_streamed=False
    )


def test_connections_are_kept_and_counted(server: ModelServer) -> None:
    with httpx2.Client() as client:
        for _ in range(3):
            client.post(f"{server.openai_url}/chat/completions", json={"model": "m", "messages": HELLO})
        assert server.open_connections == 1


def test_unknown_pages_and_the_list_of_models(server: ModelServer) -> None:
    assert httpx2.get(f"{server.openai_url}/models").json()["data"][0]["id"] == "test"
    assert httpx2.get(f"{server.url}/nothing").status_code == 404


def test_a_wrong_key_is_refused() -> None:
    with ModelServer(key="right") as server:
        assert post(server).status_code == 401


def test_a_prompt_larger_than_the_window_is_refused() -> None:
    with ModelServer(window_tokens=10) as server:
        assert post(server).status_code == 200
        too_long = post(server, messages=[{"role": "user", "content": "x" * 50}])
    assert (too_long.status_code, too_long.json()["error"]["code"]) == (400, "context_length_exceeded")


OPEN_CALL = {"id": "c1", "type": "function", "function": {"name": "t", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("path", "messages", "why"),
    [
        ("/v1/chat/completions", [], "must not be empty"),
        ("/v1/chat/completions", [{"role": "robot", "content": "x"}], "no role"),
        ("/v1/chat/completions", [*HELLO, {"role": "assistant", "tool_calls": [OPEN_CALL]}], "without a result"),
        (
            "/v1/chat/completions",
            [*HELLO, {"role": "assistant", "tool_calls": [OPEN_CALL]}, *HELLO],
            "without a result",
        ),
        ("/v1/chat/completions", [*HELLO, {"role": "assistant", "tool_calls": [OPEN_CALL] * 2}], "unique"),
        ("/v1/chat/completions", [{"role": "tool", "tool_call_id": "c9", "content": "x"}], "answers no call"),
        ("/v1/messages", [{"role": "assistant", "content": "x"}], "first message"),
        ("/v1/messages", [*HELLO, {"role": "assistant", "content": "x"}], "prefill"),
        ("/v1/messages", [{"role": "user", "content": [{"type": "text", "text": " "}]}], "non-whitespace"),
    ],
)
def test_it_refuses_what_a_provider_refuses(server: ModelServer, path: str, messages: object, why: str) -> None:
    response = post(server, path, messages=messages, max_tokens=9)
    assert response.status_code == 400
    assert why in response.text


def test_anthropic_wants_a_limit_of_output(server: ModelServer) -> None:
    assert "max_tokens" in post(server, "/v1/messages").text


def test_a_broken_connection_is_really_broken(server: ModelServer) -> None:
    server.script = play(Reply(fault=Fault(kind="reset")), Reply(text="abc", fault=Fault(kind="reset", after_chunks=1)))
    for _ in range(2):
        with pytest.raises(httpx2.TransportError):
            post(server, stream=True)


def test_a_cut_stream_ends_cleanly_but_without_its_end(server: ModelServer) -> None:
    server.script = play(Reply(text="abc", fault=Fault(kind="cut")))
    response = post(server, stream=True)
    assert response.status_code == 200
    assert "[DONE]" not in response.text
    assert '"finish_reason":"' not in response.text


def test_an_error_in_the_stream_stands_where_a_chunk_would(server: ModelServer) -> None:
    server.script = play(Reply(text="abc", fault=Fault(kind="server", after_chunks=1)))
    assert "error" in chunks(post(server, stream=True))[-1]


def test_a_script_may_wait_for_the_test(server: ModelServer) -> None:
    gate = threading.Event()

    async def script(asked: Asked) -> Reply:
        await asyncio.to_thread(gate.wait, 10)
        return Reply(text="late")

    server.script = script
    threading.Timer(0.05, gate.set).start()
    assert "late" in post(server).text


def test_it_can_be_stopped_twice_and_a_taken_port_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        ModelServer(port=taken.getsockname()[1]).start()
    server = ModelServer().start()
    server.stop()
    server.stop()
    with pytest.raises(httpx2.ConnectError):
        post(server)


def test_the_command_says_where_it_listens_and_stops_by_itself() -> None:
    command = [sys.executable, "-m", "instar.testing.model_server", "--script", "tool", "--seconds", "0.2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=50)
    assert "http://127.0.0.1:" in done.stdout
    assert "script tool" in done.stdout


# --- scripts ----------------------------------------------------------------------------------------------------------

ASKED = Asked(model="m", system="", spoken=(Spoken(role="user", text="hello"),), tools=("look",))


def test_a_reply_is_finished_with_ids_usage_and_a_reason() -> None:
    earlier = Spoken(role="assistant", text="", calls=(ToolCall(id="call_1", name="look", arguments={}),))
    asked = Asked(model="m", system="12345678", spoken=(*ASKED.spoken, earlier))
    reply = finish_reply(Reply(text="x" * 40, calls=(call("look"), call("look", a=1))), asked)
    assert [each.id for each in reply.calls] == ["call_2", "call_3"]
    assert reply.stop_reason == "toolUse"
    assert reply.usage is not None
    assert (reply.usage.input, reply.usage.output) == ((8 + 5 + 6) // 4, (40 + 6 + 12) // 4)


def test_the_tool_script_calls_once_and_tells_the_result() -> None:
    first = tool_script(ASKED)
    assert isinstance(first, Reply)
    assert [each.name for each in first.calls] == ["look"]
    result = Spoken(role="tool", text="fine", call_id="call_1")
    told = tool_script(Asked(model="m", system="", spoken=(*ASKED.spoken, result), tools=("look",)))
    assert told == Reply(text="The tool says: fine")
    bare = tool_script(Asked(model="m", system="", spoken=ASKED.spoken))
    assert bare == Reply(text="No tools here. You said: hello")


def test_the_slow_script_speaks_word_by_word() -> None:
    reply = slow_script(ASKED)
    assert isinstance(reply, Reply)
    assert (reply.chunks, reply.pause_s) == (4, 0.1)


def test_a_script_that_is_at_its_end_says_so() -> None:
    script = play("one")
    script(ASKED)
    with pytest.raises(InvariantBroken, match="asked once more"):
        script(ASKED)


@pytest.mark.parametrize(
    ("text", "count", "parts"), [("", 3, []), ("abc", 1, ["abc"]), ("abcd", 3, ["ab", "cd"]), ("a", 9, ["a"])]
)
def test_texts_are_split_into_about_equal_parts(text: str, count: int, parts: list[str]) -> None:
    assert split_text(text, count) == parts
