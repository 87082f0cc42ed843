"""Recorded traffic as values and as JSON (WHY-4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.explain.traffic import TrafficRecord, build_inbound, format_record, parse_record
from instar.core.model.ids import AccountId, ChannelName, Instant, SessionKey

RECORD = TrafficRecord(at=Instant(5), channel=ChannelName("telegram"), chat_type="direct", chat_id="U7", sender_id="U7")


def test_a_record_becomes_a_message_without_words():
    inbound = build_inbound(RECORD, message_id="1")
    assert (inbound.text, inbound.chat.id, inbound.sender.id, inbound.mentioned) == ("", "U7", "U7", False)


def test_what_is_empty_is_not_written():
    assert format_record(RECORD) == {
        "at": 5,
        "channel": "telegram",
        "chatType": "direct",
        "chatId": "U7",
        "senderId": "U7",
    }


TEXTS = st.text(min_size=1, max_size=5)


@given(
    st.builds(
        TrafficRecord,
        at=st.integers(0, 10**13).map(Instant),
        channel=st.sampled_from(["telegram", "irc"]).map(ChannelName),
        chat_type=st.sampled_from(["direct", "group", "channel"]),
        chat_id=TEXTS,
        sender_id=TEXTS,
        account_id=st.sampled_from(["default", "work"]).map(AccountId),
        thread_id=st.none() | TEXTS,
        parent_id=st.none() | TEXTS,
        space_id=st.none() | TEXTS,
        roles=st.lists(TEXTS, max_size=2).map(tuple),
        is_addressed=st.booleans(),
        is_command=st.booleans(),
        resets=st.booleans(),
        session_key=st.none() | TEXTS.map(SessionKey),
        size_chars=st.integers(0, 100),
        reply_chars=st.integers(0, 100),
        turn_ms=st.integers(0, 100),
        docks=st.none() | st.just(ChannelName("discord")),
        is_provider_owned=st.booleans(),
    )
)
def test_a_record_survives_being_written(record):
    assert parse_record(format_record(record)) == record


def test_ids_may_be_numbers_and_names_may_be_aliases():
    fields = {
        "at": 5.0,
        "channel": "TG",
        "chatType": "dm",
        "chatId": 7,
        "senderId": 7,
        "roles": "none",
        "sizeChars": "x",
    }
    record = parse_record(fields)
    assert (record.channel, record.chat_type, record.chat_id, record.roles, record.size_chars) == (
        "telegram",
        "direct",
        "7",
        (),
        0,
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"at": "now"}, "at"),
        ({"at": True}, "at"),
        ({"at": -1}, "at"),
        ({"channel": ""}, "channel"),
        ({"channel": True}, "channel"),
        ({"chatType": "crowd"}, "chatType"),
    ],
)
def test_a_record_that_cannot_be_read_names_its_field(change, field):
    assert parse_record(format_record(RECORD) | change) == field
