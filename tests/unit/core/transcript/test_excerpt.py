"""What is shown of a message that was found (SEARCH-5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.transcript.excerpt import EXCERPT_CHARS, cut_around, cut_excerpt
from instar.core.transcript.search_text import split_query

FILLER = " ".join(f"word{n}" for n in range(200))


def excerpt(text, query, **more):
    return cut_excerpt(text, split_query(query), **more)


def test_a_short_message_is_shown_whole_on_one_line():
    assert excerpt("We fly\n\non  Monday.", "monday") == "We fly on Monday."


def test_a_long_one_is_cut_around_what_was_found_at_blanks():
    shown = excerpt(f"{FILLER} the heron lands {FILLER}", "heron", max_chars=60)
    assert "the heron lands" in shown
    assert shown.startswith("…word")
    assert shown.endswith("…")
    assert len(shown) <= 60


@pytest.mark.parametrize("query", ["start", "nowhere"])
def test_at_the_beginning_nothing_is_left_out_before(query):
    shown = excerpt(f"start {FILLER}", query, max_chars=40)
    assert shown.startswith("start word0")
    assert shown.endswith("…")


def test_at_the_end_nothing_is_left_out_after():
    shown = excerpt(f"{FILLER} finish", "finish", max_chars=40)
    assert shown.endswith("finish")
    assert shown.startswith("…")


@pytest.mark.parametrize(
    ("words", "query"),
    [
        ("Running fast", "runs"),
        ("un café noir", "CAFE"),
        ("die Straße dort", "strasse"),
        ("wir essen 北京烤鸭 heute", "烤鸭"),
        ("wir essen 北京烤鸭 heute", "北京"),
        ("see e-mail there", "e-mail"),
    ],
)
def test_the_word_is_seen_in_another_form(words, query):
    assert words in excerpt(f"{FILLER} {words} {FILLER}", query, max_chars=80)


def test_a_word_inside_another_one_is_not_it():
    shown = excerpt(f"a scatter {FILLER} the cat sat {FILLER}", "cat", max_chars=60)
    assert "the cat sat" in shown


def test_text_without_blanks_is_cut_anywhere():
    shown = excerpt("北" * 500 + "京都" + "南" * 500, "京都", max_chars=40)
    assert "京都" in shown
    assert len(shown) == 40


def test_a_very_long_text_is_first_cut_around_the_word():
    text = f"{FILLER} heron {FILLER}"
    part = cut_around(text, ("heron",), reach_chars=50)
    assert len(part) == 100
    assert "heron" in part
    assert cut_around("short", ("heron",), reach_chars=50) == "short"


@given(st.text(max_size=600), st.text(max_size=40))
def test_an_excerpt_is_one_short_line(text, query):
    shown = excerpt(text, query)
    assert len(shown) <= EXCERPT_CHARS
    assert len(shown.splitlines()) <= 1
