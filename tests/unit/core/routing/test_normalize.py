"""NORM-1…9: one spelling for one thing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.model.ids import ChannelName
from instar.core.routing.normalize import (
    channel_spelling,
    normalize_account_id,
    normalize_agent_id,
    normalize_channel,
    normalize_chat_type,
    normalize_peer,
    normalize_thread_id,
)


def peer(channel: str, text: str, kind: str = "direct", **numbers: str) -> str:
    return normalize_peer(ChannelName(channel), kind=kind, peer_id=text, numbers=numbers.get("numbers", {}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Work", "work"),
        ("  work  ", "work"),
        ("a-", "a-"),
        ("a b/c", "a-b-c"),
        ("-_-", "_"),
        ("_x", "_x"),
        ("--", "main"),
        ("日本", "main"),
        ("", "main"),
        (None, "main"),
        ("x" * 64, "x" * 64),
        ("x" * 65, "x" * 64),
        ("a\x00b", "a-b"),
        ("../../etc", "etc"),
    ],
)
def test_an_agent_id_keeps_only_what_ids_may_hold(text, expected):
    assert normalize_agent_id(text) == expected


def test_an_account_without_a_name_is_the_default_one():
    assert normalize_account_id(None) == "default"
    assert normalize_account_id("  ") == "default"
    assert normalize_account_id("My Phone #2") == "my-phone-2"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("imsg", "imessage"),
        ("gchat", "googlechat"),
        (" Google-Chat ", "googlechat"),
        ("TG", "telegram"),
        ("Carrier-Pigeon", "carrier-pigeon"),
        ("", ""),
        (None, ""),
    ],
)
def test_a_channel_has_one_name(text, expected):
    assert normalize_channel(text) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [("dm", "direct"), ("Direct", "direct"), ("room", "channel"), ("channel", "channel"), (" group ", "group")],
)
def test_chat_types_have_older_words(word, expected):
    assert normalize_chat_type(word) == expected


@pytest.mark.parametrize("word", ["", None, "thread", "direkt"])
def test_other_words_are_no_chat_type(word):
    assert normalize_chat_type(word) is None


@pytest.mark.parametrize(
    ("channel", "text", "expected"),
    [
        ("telegram", "telegram:5", "5"),
        ("telegram", "tg:TELEGRAM: tg:5", "5"),
        ("telegram", "discord:5", "discord:5"),
        ("imessage", "imsg:bob@example.org", "bob@example.org"),
        ("carrier", "carrier:5", "5"),
        ("telegram", "telegram:", "telegram:"),
        ("slack", " U0ABC\n", "u0abc"),
        ("slack", "\u200bU0", "\u200bu0"),
    ],
)
def test_an_id_loses_the_name_of_its_own_channel(channel, text, expected):
    assert peer(channel, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("15551234567@s.whatsapp.net", "+15551234567"),
        ("15551234567:12@S.WhatsApp.net", "+15551234567"),
        ("15551234567@hosted", "+15551234567"),
        ("15551234567:3@hosted", "+15551234567"),
        ("+1 (555) 123-4567", "+15551234567"),
        ("whatsapp:+1555", "+1555"),
        ("Somebody", "somebody"),
        ("x@example.org", "x@example.org"),
        ("٣٤", "٣٤"),
        ("77@lid", "77@lid"),
    ],
)
def test_whatsapp_people_are_phone_numbers(text, expected):
    assert peer("whatsapp", text) == expected


def test_a_hidden_whatsapp_id_becomes_the_number_that_is_known_for_it():
    numbers = {"77@lid": "+1 555", "88@lid": "x"}
    assert peer("whatsapp", "77@lid", numbers=numbers) == "+1555"
    assert peer("whatsapp", "77:4@LID", numbers=numbers) == "+1555"
    assert peer("whatsapp", "99@lid", numbers=numbers) == "99@lid"


def test_a_whatsapp_group_keeps_its_id():
    assert peer("whatsapp", "12036-99@G.us", "group") == "12036-99@g.us"


@pytest.mark.parametrize("channel", ["signal", "sms", "imessage"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+44 20 7946 0958", "+442079460958"),
        ("(555) 123-4567", "+5551234567"),
        ("555", "555"),
        ("-------", "-------"),
        ("Bob.Smith.1234567", "bob.smith.1234567"),
    ],
)
def test_phone_numbers_are_told_from_handles(channel, text, expected):
    assert peer(channel, text) == expected


@pytest.mark.parametrize(("text", "expected"), [("0", "0"), (" $EvT ", "$evt"), ("  ", None), ("", None), (None, None)])
def test_a_blank_thread_id_is_none_and_zero_is_one(text, expected):
    assert normalize_thread_id(text) == expected


def test_channels_write_people_in_three_ways():
    spellings = [channel_spelling(ChannelName(name)) for name in ("whatsapp", "signal", "telegram")]
    assert spellings == ["whatsapp", "phone", "plain"]


@given(st.text())
def test_normalising_twice_changes_nothing(text):
    assert normalize_agent_id(normalize_agent_id(text)) == normalize_agent_id(text)
    assert normalize_channel(normalize_channel(text)) == normalize_channel(text)
    thread_id = normalize_thread_id(text)
    assert normalize_thread_id(thread_id) == thread_id


@given(
    st.sampled_from(["telegram", "whatsapp", "signal", "imessage", "odd"]),
    st.sampled_from(["direct", "group", "channel"]),
    st.text(alphabet="tg:elram wspi+1234()@.lid\u200b\n"),
)
def test_normalising_a_peer_twice_changes_nothing(channel, kind, text):
    once = peer(channel, text, kind)
    assert peer(channel, once, kind) == once
