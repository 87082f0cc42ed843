"""The quiet time, and which messages make one turn (QUEUE-5, QUEUE-13, QUEUE-14)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.model.ids import AccountId, ChannelName, Instant
from instar.core.model.message import Target
from instar.core.queue.debounce import are_one_route, name_line, quiet_until, summarise_line


def target(channel="telegram", account="default", to="1", thread=None, reply_to=None):
    return Target(
        channel=ChannelName(channel),
        account_id=AccountId(account),
        to=to,
        chat_type="direct",
        thread_id=thread,
        reply_to_id=reply_to,
    )


def test_the_quiet_time_counts_from_the_last_arrival():
    assert quiet_until(last_arrival_at=Instant(1000), debounce_ms=500, now=Instant(1200)) == 1500


def test_a_clock_that_went_back_holds_nobody():
    assert quiet_until(last_arrival_at=Instant(9000), debounce_ms=500, now=Instant(1200)) == 1200


@pytest.mark.parametrize(
    "other",
    [target(channel="irc"), target(account="two"), target(to="2"), target(thread="7"), None],
    ids=["channel", "account", "chat", "thread", "no route"],
)
def test_another_place_is_another_route(other):
    assert not are_one_route([target(), other])


def test_the_same_place_is_one_route_whatever_is_replied_to():
    assert are_one_route([target(reply_to="5"), target(reply_to="6"), target()])


def test_sources_without_a_route_are_alike():
    assert are_one_route([None, None])
    assert are_one_route([])


def test_a_line_is_one_line():
    assert summarise_line("  a\nb\t c ") == "a b c"


@given(st.text())
def test_a_line_has_at_most_160_characters(text):
    line = summarise_line(text)
    assert len(line) <= 160
    assert "\n" not in line


def test_a_long_text_is_cut_with_an_ellipsis():
    assert summarise_line("x" * 161) == "x" * 159 + "…"
    assert summarise_line("x" * 160) == "x" * 160


def test_where_several_write_a_line_says_who_did():
    assert name_line("hi  there", "Ann \n B") == "Ann B: hi  there"
    assert name_line("hi", None) == "hi"
