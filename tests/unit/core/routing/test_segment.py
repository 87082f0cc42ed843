"""What may stand in one part of a key: ids that cannot pretend to be grammar."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.routing.segment import escape_id, escape_invisible, escape_word, mark_word

FRAGMENTS = [
    ":",
    "::",
    "thread",
    "topic",
    "%",
    "%~",
    "%3a",
    "25",
    "3a",
    "~",
    "\x00",
    "\u202e",
    "\u200b",
    "\ud800",
    "a",
    "é",
    " ",
]
HOSTILE = st.lists(st.sampled_from(FRAGMENTS), max_size=8).map("".join)


@pytest.mark.parametrize(
    "text",
    [
        "123456789",
        "-1001234567890",
        "+15551234567",
        "120363403215116621@g.us",
        "!abc:example.org",
        "@alice:example.org:8448",
        "users/123",
        "alice@example.com",
        "100%",
        "50% off",
        "#chan",
        "日本語",
        "a b",
        "../../etc/passwd",
        "thread",
        "x:thread",
        "",
    ],
)
def test_ordinary_ids_stay_as_they_are(text):
    assert escape_id(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1:thread:2", "1:thread%3a2"),
        ("thread:2", "thread%3a2"),
        ("1:topic:2", "1:topic%3a2"),
        (":x", "%3ax"),
        ("x:", "x%3a"),
        ("a::b", "a%3a%3ab"),
        ("::", "%3a%3a"),
        ("a%3ab", "a%253ab"),
        ("a%~b", "a%25~b"),
        ("a\x00b", "a%00b"),
        ("a\u202eb", "a%e2%80%aeb"),
        ("a\u200b", "a%e2%80%8b"),
        ("\ud800", "%ed%a0%80"),
        ("a\xa0", "a%c2%a0"),
    ],
)
def test_what_could_be_grammar_or_cannot_be_seen_is_escaped(text, expected):
    assert escape_id(text) == expected


@pytest.mark.parametrize("letter", ["x", "é", "\x00"])
def test_an_id_beyond_256_bytes_is_cut_and_told_apart_by_a_hash(letter):
    one, two = escape_id(letter * 10_000), escape_id(letter * 10_000 + "y")
    assert one != two
    assert one.startswith(escape_id(letter)[:1])
    assert len(one.encode()) < 600
    assert one == escape_id(letter * 10_000)


def test_an_id_of_256_bytes_is_not_cut():
    assert escape_id("x" * 256) == "x" * 256
    assert escape_id("x" * 257).startswith("x" * 128 + "%~")


def test_the_short_form_of_a_long_id_cannot_be_written_by_hand():
    short = escape_id("x" * 300)
    assert escape_id(short) != short


def test_a_word_is_one_segment():
    assert escape_word("a:b", reserved=()) == "a%3ab"
    assert escape_word("cron", reserved={"cron"}) == "%~cron"
    assert escape_word("telegram", reserved={"cron"}) == "telegram"


def test_a_marked_word_equals_no_id():
    assert escape_id(mark_word("alice")) != mark_word("alice")


def test_typed_keys_only_lose_what_cannot_be_seen():
    assert escape_invisible("agent:main:x%3ay::z") == "agent:main:x%3ay::z"
    assert escape_invisible("a\u202eb\x00:c%25é") == "a%e2%80%aeb%00:c%25é"


@given(HOSTILE | st.text())
def test_an_escaped_id_can_be_read_back(text):
    assert unquote(escape_id(text), errors="surrogatepass") == text


@given(HOSTILE)
def test_an_escaped_id_holds_no_marker_and_no_empty_segment(text):
    key = f"agent:main:irc:group:{escape_id(text)}:"
    assert text == "" or "::" not in key
    assert not any(f":{marker}:" in key[:-1] for marker in ("thread", "topic"))


@given(HOSTILE, HOSTILE)
def test_two_ids_never_come_out_alike(one, two):
    assert (escape_id(one) == escape_id(two)) == (one == two)


@given(st.text(min_size=250, max_size=600), st.text(min_size=250, max_size=600))
def test_two_long_ids_never_come_out_alike(one, two):
    assert (escape_id(one) == escape_id(two)) == (one == two)


@given(HOSTILE | st.text())
def test_an_escaped_id_can_be_stored_and_shown(text):
    safe = escape_id(text)
    assert safe.encode().decode() == safe
    assert not any(letter < " " or letter in "\x7f\u202e\u200b" for letter in safe)
