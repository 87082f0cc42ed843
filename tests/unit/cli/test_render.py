"""Rows of the wire as text: ages, counts, percents, flags, tables (CLI-23…25, STATUS-4)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.cli.render import (
    KEY_CHARS,
    cut_middle,
    format_age,
    format_count,
    format_flags,
    format_moment,
    format_span,
    format_usage,
    list_columns,
    pad,
    render_facts,
    render_table,
    text_width,
)
from instar.core.explain.status import format_count as format_count_in_chat

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (None, "unknown"),
        (-5 * SECOND, "just now"),
        (0, "just now"),
        (MINUTE - 1, "just now"),
        (MINUTE, "1m ago"),
        (HOUR - 1, "59m ago"),
        (HOUR, "1h ago"),
        (2 * DAY - 1, "47h ago"),
        (2 * DAY, "2d ago"),
        (400 * DAY, "400d ago"),
    ],
)
def test_ages_are_told_in_the_unit_that_fits(age, text):
    assert format_age(age) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "?"),
        (0, "0"),
        (999, "999"),
        (1000, "1.0k"),
        (9_940, "9.9k"),
        (9_950, "10k"),
        (35_400, "35k"),
        (999_499, "999k"),
        (999_500, "1.0m"),
        (1_500_000, "1.5m"),
    ],
)
def test_tokens_are_told_short(count, text):
    assert format_count(count) == text


@given(st.integers(0, 10**8))
def test_tokens_are_told_the_same_in_chat_and_on_the_command_line(count):
    assert format_count(count) == format_count_in_chat(count)


@pytest.mark.parametrize(
    ("used", "window", "text"),
    [
        (0, None, "-"),
        (None, None, "-"),
        (500, None, "500/?"),
        (None, 1000, "?/1.0k"),
        (50_000, 200_000, "50k/200k (25%)"),
        (1, 200_000, "1/200k (0%)"),
        (99_999_999, 1000, "100.0m/1.0k (999%)"),
    ],
)
def test_the_share_of_the_window_is_rounded_and_capped(used, window, text):
    assert format_usage(used, window) == text


@pytest.mark.parametrize(
    ("ms", "text"), [(0, "0 s"), (59_999, "59 s"), (61_000, "1 min"), (HOUR, "1 h"), (3 * DAY, "3 d")]
)
def test_spans_are_told_in_their_largest_unit(ms, text):
    assert format_span(ms) == text


def test_instants_are_local_and_nonsense_is_shown_as_it_is():
    assert format_moment(0) == "1970-01-01 00:00"
    assert format_moment(None) == ""
    assert format_moment(10**30) == str(10**30)


def test_flags_say_what_a_session_has_of_its_own():
    row = {
        "thinkingLevel": "high",
        "verboseLevel": "on",
        "reasoningLevel": "stream",
        "elevatedLevel": "on",
        "responseUsage": "tokens",
        "groupActivation": "always",
        "systemSent": True,
        "abortedLastRun": True,
        "sessionId": "12345678-aaaa",
    }
    assert format_flags(row) == (
        "think:high verbose:on reasoning:stream elev:on usage:tokens activation:always system aborted id:12345678"
    )
    assert format_flags({}) == ""


@given(st.text(max_size=80), st.integers(1, 40))
def test_a_text_that_is_cut_keeps_both_ends_and_the_width(text, width):
    cut = cut_middle(text, width)
    assert len(cut) <= max(width, 1)
    if len(text) > width:
        head, _, tail = cut.partition("…")
        assert text.startswith(head)
        assert text.endswith(tail)
    else:
        assert cut == text


def test_a_line_of_the_list_has_the_columns_of_the_table():
    row = {"kind": "direct", "key": "agent:main:telegram:direct:1234567890", "updatedAt": 0, "totalTokens": 100}
    defaults = {"model": "m-1", "contextTokens": 1000}
    assert list_columns(row, defaults=defaults, now=HOUR) == (
        "direct",
        "agent:main:te…t:1234567890",
        "1h ago",
        "m-1",
        "100/1.0k (10%)",
        "",
    )
    assert len(list_columns(row, defaults=defaults, now=HOUR)[1]) == KEY_CHARS
    whole = list_columns({**row, "derivedTitle": "A title"}, defaults=defaults, now=HOUR, is_whole=True)
    assert (whole[1], whole[-1]) == (row["key"], "A title")


def test_a_row_that_tells_nothing_is_still_a_row():
    assert list_columns({}, defaults={}, now=0) == ("", "", "unknown", "-", "-", "")


def test_what_a_terminal_would_obey_is_not_shown():
    row = {"key": "agent:main:\x1b[2Jx\u202egpj", "model": "a\x07b"}
    columns = list_columns(row, defaults={}, now=0)
    assert columns[1] == "agent:main:�[2Jx�gpj"
    assert columns[3] == "a�b"


def test_columns_are_as_wide_as_what_is_in_them():
    table = render_table(("A", "Long head"), [("wide cell", "x"), ("y", "z")])
    assert table.splitlines() == ["A          Long head", "wide cell  x", "y          z"]


def test_heads_are_painted_only_in_colour():
    assert render_table(("A",), [("b",)], colour=True).startswith("\x1b[1m")
    assert "\x1b" not in render_table(("A",), [("b",)])


@pytest.mark.parametrize(("text", "width"), [("abc", 3), ("日本", 4), ("e\u0301", 1), ("é", 1), ("\uff57", 2), ("", 0)])
def test_width_counts_columns_of_a_terminal(text, width):
    assert text_width(text) == width
    assert text_width(pad(text, 6)) == 6


def test_facts_without_a_value_are_left_out():
    assert render_facts([("Key", "k"), ("Label", ""), ("Session id", "x")]) == "Key:        k\nSession id: x"
    assert render_facts([]) == ""
