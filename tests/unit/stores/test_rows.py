"""What is written into a row, and what is remembered of rows that were read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.model.entry import MessageEntry, UserMessage
from instar.core.model.ids import AgentId, EntryId, Instant, SessionId, SessionKey
from instar.core.model.session import Counters, Lifecycle, Naming, Session
from instar.stores.rows import forget_parsed, format_line, format_session, parse_session, parse_session_once, read_entry

KEY = SessionKey("agent:main:telegram:direct:7")
texts = st.none() | st.text(max_size=20)
counts = st.integers(0, 10_000)


def build_session(**groups):
    return Session(key=KEY, agent_id=AgentId("main"), session_id=SessionId("s-1"), **groups)


def build_line(words):
    message = UserMessage(content=words, timestamp=Instant(1_773_144_000_000))
    entry = MessageEntry(id=EntryId("a1"), parent_id=None, timestamp=Instant(1_773_144_000_000), message=message)
    return (1, format_line(entry).text, 3)


def test_a_row_holds_only_what_is_set():
    naming = Naming(label="", first_words="hello")
    written = json.loads(format_session(build_session(naming=naming, lifecycle=Lifecycle(revision=0))))
    assert written["naming"] == {"label": "", "first_words": "hello"}
    assert "lifecycle" not in written


@given(
    label=texts,
    words=texts,
    started=st.none() | counts,
    revision=st.integers(0, 9),
    total=counts,
    is_sent=st.booleans(),
)
def test_a_session_comes_back_as_it_was(label, words, started, revision, total, is_sent):
    session = build_session(
        naming=Naming(label=label, first_words=words),
        lifecycle=Lifecycle(started_at=started, revision=revision),
        counters=Counters(total_tokens=total, system_sent=is_sent),
    )
    assert parse_session_once(format_session(session)) == session


def test_a_row_that_spells_out_what_is_not_set_is_read_too():
    text = '{"key":"k","agent_id":"main","session_id":"s","owner":null,"naming":{"label":null,"subject":null}}'
    assert parse_session_once(text).naming == Naming()


@pytest.mark.parametrize(("words", "is_kept"), [("hello", True), ("word " * 500, False)], ids=["short", "long"])
def test_a_short_line_is_remembered_and_a_long_one_is_not(words, is_kept):
    forget_parsed()
    row = build_line(words)
    assert (read_entry(row).entry is read_entry(row).entry) is is_kept


def test_what_was_read_can_be_forgotten():
    row, text = build_line("hello"), format_session(build_session())
    entry, session = read_entry(row).entry, parse_session(text)
    forget_parsed()
    assert read_entry(row).entry is not entry
    assert parse_session(text) is not session
