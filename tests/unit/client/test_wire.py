"""What a client says first, and what it makes of an answer."""

import json
import os

import pytest

from instar.client.discovery import GatewayAddress
from instar.client.wire import build_connect, build_request, find_other, parse_frame, parse_refusal, unreachable
from instar.errors import Forbidden, InvalidRequest, Unavailable

HERE = GatewayAddress(url="ws://127.0.0.1:1", token="t")


def test_the_secret_that_is_known_is_sent_and_no_empty_one():
    assert build_connect(HERE, client_id="cli", mode="cli", caps=("x",))["auth"] == {"token": "t"}
    bare = GatewayAddress(url="ws://127.0.0.1:1")
    assert build_connect(bare, client_id="cli", mode="cli", caps=())["auth"] == {}


def test_a_request_is_one_json_object():
    assert json.loads(build_request("7", "status", None)) == {
        "type": "req",
        "id": "7",
        "method": "status",
        "params": {},
    }


@pytest.mark.parametrize(
    ("value", "why"), [("\udcff", "not Unicode"), (float("inf"), "too large"), (float("nan"), "too large")]
)
def test_what_no_gateway_could_read_is_not_sent(value, why):
    with pytest.raises(InvalidRequest, match=why):
        build_request("7", "chat.send", {"message": [value]})


def test_words_of_every_script_are_sent_as_they_are():
    assert json.loads(build_request("7", "chat.send", {"message": "日本 🙂"}))["params"]["message"] == "日本 🙂"


@pytest.mark.parametrize("text", ["", "no json", "[1]", '"x"', "[" * 100_000])
def test_what_is_no_frame_comes_from_no_gateway(text):
    with pytest.raises(Unavailable, match="no gateway"):
        parse_frame(text)


def test_a_wrong_secret_is_forbidden_and_says_what_to_do():
    error = parse_refusal(
        {"code": "INVALID_REQUEST", "message": "unauthorized", "details": {"code": "AUTH_TOKEN_MISMATCH"}}
    )
    assert isinstance(error, Forbidden)
    assert "--token" in error.fix


def test_another_protocol_is_told_as_such():
    error = parse_refusal({"code": "INVALID_REQUEST", "message": "x", "details": {"code": "PROTOCOL_MISMATCH"}})
    assert "protocol" in error.what


def test_other_refusals_keep_their_words():
    error = parse_refusal({"code": "INVALID_REQUEST", "message": "no session found"})
    assert (type(error), error.what) == (InvalidRequest, "no session found")
    later = parse_refusal({"code": "UNAVAILABLE", "message": "soon", "retryAfterMs": 50})
    assert isinstance(later, Unavailable)
    assert later.retry_after_ms == 50


def test_a_refusal_without_words_is_still_told():
    assert "no reason" in str(parse_refusal({}))


def test_no_gateway_says_where_it_was_looked_for_and_how_to_start_one():
    text = str(unreachable((HERE,), "connection refused"))
    assert "ws://127.0.0.1:1" in text
    assert "instar gateway" in text
    assert "t" not in text.split()


def test_a_gateway_whose_process_is_gone_is_told_so():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    gone = GatewayAddress(url="ws://127.0.0.1:1", pid=pid)
    assert f"process {pid}" in str(unreachable((gone,), "connection refused"))
    assert "process" not in str(unreachable((GatewayAddress(url="ws://x:1", pid=os.getpid()),), "refused"))


def test_a_gateway_of_another_directory_is_not_the_one_that_is_meant(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    mine = HERE._replace(state_dir=tmp_path / "mine")

    def hello(name):
        return {"snapshot": {"stateDir": str(tmp_path / name)}}

    other = find_other(mine, hello("other"))
    assert other is not None
    assert f"it works in {tmp_path / 'other'}" in str(other)
    assert "--url" in other.fix
    assert find_other(mine, hello("mine")) is None
    assert find_other(mine, hello("link")) is None
    assert find_other(mine, {}) is None, "only owners are told"
    assert find_other(HERE, hello("other")) is None, "any will do"
