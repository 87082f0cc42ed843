"""What lists call a session that nobody has named (ENTRY-12)."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from instar.core.lifecycle.title import TITLE_CHARS, derive_title
from instar.core.model.session import Lifecycle, Naming
from tests.builders.turns import build_session


def titled(**naming: str) -> str:
    return derive_title(replace(build_session(), naming=Naming(**naming)))


def test_display_name_wins_over_subject_and_first_words() -> None:
    assert titled(display_name=" Trip ", subject="s", first_words="w") == "Trip"
    assert titled(display_name=" ", subject="Plans", first_words="w") == "Plans"
    assert titled(first_words="find a\nhotel") == "find a hotel"


def test_long_first_words_are_cut_at_a_late_word_break() -> None:
    words = "Could you please look for a quiet hotel near the station for two"
    assert titled(first_words=words) == "Could you please look for a quiet hotel near the station…"


def test_a_word_break_that_is_too_early_is_not_used() -> None:
    assert titled(first_words="a " + "b" * 100) == "a " + "b" * 57 + "…"


def test_without_words_the_id_and_the_date_stand_in() -> None:
    assert titled() == "11111111 (2026-03-10)"
    nothing_known = replace(build_session(), lifecycle=Lifecycle())
    assert derive_title(nothing_known) == "11111111"


@given(st.text(max_size=300))
def test_a_derived_title_is_one_short_line(words: str) -> None:
    title = titled(first_words=words)
    assert len(title) <= TITLE_CHARS
    assert title == title.strip() != ""
    assert "\n" not in title
