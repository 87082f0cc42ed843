import json
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.protocol.errors import ErrorShape
from instar.protocol.frames import (
    BadFrame,
    build_error,
    build_response,
    encode_event_head,
    finish_event,
    parse_request,
)


def frame(**fields) -> str:
    return json.dumps({"type": "req", "id": "1", "method": "health", **fields})


def test_a_request_is_read_with_its_params():
    request = parse_request(frame(params={"limit": 3}))
    assert (request.id, request.method, request.params) == ("1", "health", {"limit": 3})


def test_a_request_without_params_has_none():
    assert parse_request(frame()).params is None


@pytest.mark.parametrize(
    ("text", "request_id", "says"),
    [
        ("", "invalid", "malformed JSON"),
        ("{", "invalid", "malformed JSON"),
        ("nonsense", "invalid", "malformed JSON"),
        ('{"type":"req","id":"1","method":"health","params":{"a":NaN}}', "1", "malformed JSON"),
        ('{"type":"req","id":"1","method":"health","params":{"a":"\\ud800"}}', "1", "malformed JSON"),
        ("[" * 200_000, "invalid", "Expected `object`"),
        (frame(params={"a": 1}).replace("1}", "[" * 5000 + "]" * 5000 + "}"), "invalid", "nested too deeply"),
        (frame(params={"a": 1}).replace(": 1}", ": 1e999}"), "1", "out of range"),
        ("[]", "invalid", "Expected `object`, got `array`"),
        ('"text"', "invalid", "Expected `object`, got `str`"),
        (frame(id=7), "invalid", "at /id: Expected `str`, got `int`"),
        (frame(id=""), "invalid", "at /id: must NOT have fewer than 1 characters"),
        (frame(method=""), "1", "at /method: must NOT have fewer than 1 characters"),
        (frame(bogus=1), "1", "unknown field `bogus`"),
        (frame(params=[1]), "1", "at /params"),
        (frame(type="res"), "1", "at /type"),
        (json.dumps({"id": "9", "method": "health"}), "9", "type"),
        (json.dumps({"type": "req", "id": "9"}), "9", "method"),
    ],
)
def test_a_frame_that_is_no_request_says_what_is_wrong_and_whose_it_was(text, request_id, says):
    with pytest.raises(BadFrame) as caught:
        parse_request(text)
    assert caught.value.request_id == request_id
    assert says in str(caught.value)
    assert str(caught.value).startswith("invalid request frame")


@given(st.text(max_size=200))
def test_any_text_is_a_request_or_a_bad_frame(text):
    with suppress(BadFrame):
        parse_request(text)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(), st.lists))
def test_any_json_is_a_request_or_a_bad_frame(value):
    with suppress(BadFrame):
        parse_request(json.dumps(value))


def test_responses_say_yes_or_no():
    assert json.loads(build_response("1", {"a": 1})) == {"type": "res", "id": "1", "ok": True, "payload": {"a": 1}}
    assert json.loads(build_error("1", ErrorShape(code="FORBIDDEN", message="no"))) == {
        "type": "res",
        "id": "1",
        "ok": False,
        "error": {"code": "FORBIDDEN", "message": "no"},
    }


def test_an_event_is_encoded_once_and_numbered_for_each_connection():
    head = encode_event_head("tick", {"ts": 5}, state_version={"presence": 1, "health": 2})
    assert json.loads(finish_event(head, 7)) == {
        "type": "event",
        "event": "tick",
        "payload": {"ts": 5},
        "stateVersion": {"presence": 1, "health": 2},
        "seq": 7,
    }
    assert "seq" not in msgspec.json.decode(finish_event(encode_event_head("tick", {}), None))
