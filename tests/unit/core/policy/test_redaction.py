"""LEAK-12: secrets by value, by name and by shape."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.policy.redaction import MARK, build_redactor

PLAIN = build_redactor()

SHAPES = {
    "openai": "sk-proj-abcDEF0123456789abcdef",
    "anthropic": "sk-ant-api03-abcDEF0123456789",
    "google": "AIza" + "a1B2c" * 7,
    "github": "ghp_" + "a1" * 18,
    "gitlab": "glpat-" + "a1" * 10,
    "slack": "xoxb-1234567890-abcdef",
    "telegram": "123456789:" + "Aa1_-" * 7,
    "this gateway": "ist_" + "aZ_-9" * 8,
    "aws": "AKIAABCDEFGHIJKLMNOP",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "pem": "-----BEGIN RSA PRIVATE KEY-----\nMIIB\nabc=\n-----END RSA PRIVATE KEY-----",
    "cut pem": "-----BEGIN PRIVATE KEY-----\nMIIB",
}


@pytest.mark.parametrize("secret", SHAPES.values(), ids=SHAPES.keys())
def test_a_secret_is_known_by_its_shape(secret: str) -> None:
    assert PLAIN.text(f"before {secret} after") in {f"before {MARK} after", f"before {MARK}"}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Authorization: Bearer abcdefgh12345678", "Authorization: "),
        ("bearer abcdefgh12345678", "bearer "),
        ("postgres://instar:hunter22@db/instar", "postgres://instar:"),
        ("wss://host/?token=abcdef123&x=1", "wss://host/?token="),
        ('{"apiKey": "plain words here", "model": "m"}', '"apiKey": '),
        ("OPENAI_API_KEY=abcd1234", "OPENAI_API_KEY="),
        ("password: 'open sesame'", "password: "),
        ("x-moltbot-token: abcdefgh", "x-moltbot-token: "),
        ("client_secret=abcd", "client_secret="),
    ],
)
def test_a_secret_is_known_by_the_word_before_it(text: str, left: str) -> None:
    cleaned = PLAIN.text(text)
    assert cleaned.startswith(left) or left in cleaned
    assert MARK in cleaned
    for leaked in ("abcdef", "hunter22", "plain words", "abcd1234", "sesame"):
        assert leaked not in cleaned


@pytest.mark.parametrize(
    "text",
    [
        "12 tokens in, 40 out",
        "session agent:main:telegram:direct:42 was reset at 04:00",
        "https://example.com:8080/path?x=1",
        "the basic idea",
        "turn a0000000-0000-4000-8000-000000000001 of openai/gpt-5.1",
        "",
    ],
)
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert PLAIN.text(text) == text


def test_configured_values_are_found_anywhere_and_the_longer_one_first() -> None:
    redactor = build_redactor(["hunter2", "hunter2-and-more", "", "short"])
    assert redactor.text("xhunter2-and-morex hunter2 short") == f"x{MARK}x {MARK} short"


def test_values_with_signs_of_patterns_are_taken_literally() -> None:
    assert build_redactor(["a.c(d)[e"]).text("a.c(d)[e abc(d)[e") == f"{MARK} abc(d)[e"


def test_fields_are_hidden_by_name_and_walked() -> None:
    redactor = build_redactor(["visible-nowhere"])
    hidden = {"apiKey": "k", "gatewayToken": "g", "bot_token": ["b"], "Authorization": {"a": 1}, "X-Api-Key": "x"}
    shown = {"password": "", "token": None, "tokens": 12, "max_tokens": "12", "input_tokens": 7, "model": "m"}
    assert redactor.value(hidden) == dict.fromkeys(hidden, MARK)
    assert redactor.value(shown) == shown
    assert redactor.value({"nested": [{"secret": "s"}, ("visible-nowhere", 1.5)], "visible-nowhere": True}) == {
        "nested": [{"secret": MARK}, [MARK, 1.5]],
        MARK: True,
    }


def test_any_other_value_is_shown_as_text() -> None:
    assert PLAIN.value([ValueError("api_key=abcdefg"), {"one"}]) == [f"api_key={MARK}", ["one"]]


def test_what_is_nested_without_end_is_cut_off() -> None:
    endless: list[object] = []
    endless.append(endless)
    assert MARK in json.dumps(PLAIN.value(endless))


@given(st.text(), st.text(alphabet="abcdefghij0123456789-_.", min_size=6, max_size=40), st.text())
def test_a_configured_value_is_in_no_text_that_leaves(before: str, secret: str, after: str) -> None:
    cleaned = build_redactor([secret]).text(f"{before}{secret}{after}")
    assert secret not in cleaned.replace(MARK, "\n")


@given(
    st.text() | st.lists(st.sampled_from(["token=", "abcdef", " ", '"', "Bearer ", MARK, "://a:b@", ";"])).map("".join)
)
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    once = PLAIN.text(text)
    assert PLAIN.text(once) == once


@pytest.mark.parametrize("unit", ["a", "a.", "token", "x-", "://", "eyJ.", "-----BEGIN PRIVATE KEY-----", "a_b.c-"])
def test_hostile_text_costs_no_more_than_its_length(unit: str) -> None:
    text = unit * (200_000 // len(unit))
    started = time.process_time()
    PLAIN.text(text)
    assert time.process_time() - started < 2


def test_whether_there_is_a_secret_is_told_without_changing_anything() -> None:
    assert PLAIN.finds_in(f"it is {SHAPES['aws']}")
    assert not PLAIN.finds_in("it is nothing")
