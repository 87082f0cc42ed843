"""What an accepted message leaves on record: who, where, when, never what (WHY-4)."""

from __future__ import annotations

from dataclasses import replace

from instar.core.explain.traffic import format_record, record_message
from instar.core.model.decision import Decision
from instar.core.model.ids import ChannelName, Instant, SessionKey
from tests.builders.turns import NOW, build_item


def decided(item, **inputs):
    activation = Decision(kind="activation", outcome="wakes", rule="ACT-4", inputs=inputs)
    return replace(item, acceptance=replace(item.acceptance, decisions=(activation,)))


def ended(item, state, after_ms):
    return replace(item, state=state, ended_at=Instant(NOW + after_ms))


def test_a_message_is_recorded_without_its_words():
    item = ended(build_item("a secret of ann", thread_id="7"), "answered", 1500)
    record = record_message(item, reply_tokens=10)
    assert format_record(record) == {
        "at": NOW,
        "channel": "telegram",
        "chatType": "direct",
        "chatId": "42",
        "senderId": "42",
        "threadId": "7",
        "sizeChars": 15,
        "replyChars": 40,
        "turnMs": 1500,
    }


def test_whether_it_was_meant_for_the_agent_was_decided_at_the_door():
    group = build_item("hal, hi", chat_type="group", chat_id="-1")
    assert not record_message(group).is_addressed
    assert record_message(decided(group, addressed="pattern")).is_addressed
    assert not record_message(decided(group, addressed=None)).is_addressed
    inbound = replace(group.submission.inbound, mentioned=True)
    assert record_message(replace(group, submission=replace(group.submission, inbound=inbound))).is_addressed


def test_a_source_that_names_its_session_always_means_it():
    item = build_item()
    named = replace(item, submission=replace(item.submission, session_key=SessionKey("agent:main:main")))
    record = record_message(named)
    assert (record.session_key, record.is_addressed) == ("agent:main:main", True)


def test_commands_and_resets_are_marked():
    item = build_item()
    assert record_message(ended(item, "command", 5)).is_command
    assert record_message(decided(item, command=True)).is_command
    reset = record_message(ended(item, "answered", 5), resets=True)
    assert (reset.resets, reset.is_command) == (True, True)


def test_only_an_answer_took_time():
    assert record_message(ended(build_item(), "merged", 900)).turn_ms == 0
    assert record_message(ended(build_item(), "answered", -5)).turn_ms == 0


def test_where_a_command_asked_to_be_answered_and_who_keeps_the_session_is_marked():
    record = record_message(ended(build_item("/dock-discord"), "command", 5), docks=ChannelName("discord"))
    assert format_record(record)["docks"] == "discord"
    assert format_record(record_message(build_item(), is_provider_owned=True))["providerOwned"] is True
