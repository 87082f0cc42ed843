"""Text in pieces that a channel takes."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from instar.core.delivery.chunk import LIMIT_MIN, measure_text, split_text
from instar.errors import InvariantBroken


def split(text, limit=20, unit="characters"):
    return list(split_text(text, limit=limit, unit=unit))


# --- plain text -------------------------------------------------------------------------------------------------------


def test_a_text_that_fits_is_one_piece():
    assert split("hello") == ["hello"]


@pytest.mark.parametrize("text", ["", " ", "\n\n"])
def test_a_text_of_blanks_is_no_piece(text):
    assert split(text) == []


def test_paragraphs_stay_whole_where_they_can():
    assert split("one two three\n\nfour five six") == ["one two three", "four five six"]


def test_lines_stay_whole_where_they_can():
    assert split("one two three\nfour five six") == ["one two three", "four five six"]


def test_a_break_in_the_first_half_is_passed_over_for_a_later_blank():
    assert split("one\n\ntwo three four five") == ["one\n\ntwo three four", "five"]


def test_an_early_line_break_is_better_than_a_torn_word():
    assert split("one\n" + "x" * 30) == ["one", "x" * 20, "x" * 10]


def test_words_stay_whole_where_they_can():
    assert split("the quick brown fox jumps over") == ["the quick brown fox", "jumps over"]


def test_a_word_longer_than_a_piece_is_cut():
    assert split("x" * 45) == ["x" * 20, "x" * 20, "x" * 5]


def test_pieces_of_blanks_are_left_out():
    assert split("x" * 20 + " " * 60 + "y") == ["x" * 20, "y"]


# --- code -------------------------------------------------------------------------------------------------------------


def test_a_code_block_is_closed_and_opened_again_with_its_language():
    text = "```py\n" + "\n".join(f"line {number:02}" for number in range(6)) + "\n```\nthe end"
    assert split(text, 40) == [
        "```py\nline 00\nline 01\nline 02\n```",
        "```py\nline 03\nline 04\nline 05\n```",
        "the end",
    ]


def test_a_cut_goes_before_a_code_block_rather_than_into_it():
    text = "an introduction of some words\n```py\nprint(1)\nprint(2)\n```"
    assert split(text, 45) == ["an introduction of some words", "```py\nprint(1)\nprint(2)\n```"]


def test_a_long_line_of_code_is_cut_between_characters_and_keeps_its_blanks():
    pieces = split("~~~\n" + "a b " * 10 + "\n~~~", 24)
    assert all(piece.startswith("~~~\n") and piece.endswith("\n~~~") for piece in pieces)
    inside = "".join(piece.removeprefix("~~~\n").removesuffix("\n~~~") for piece in pieces)
    assert inside == "a b " * 10


def test_a_language_too_long_to_be_repeated_is_left_out():
    text = "```averylonglanguagename\n" + "x" * 8 + "\n" + "y" * 30 + "\n```"
    pieces = split(text, 40)
    assert pieces[0].startswith("```averylonglanguagename\n")
    assert all(piece.startswith("```\n") for piece in pieces[1:])
    assert all(len(piece) <= 40 for piece in pieces)


def test_a_fence_that_is_nearly_a_piece_is_cut_like_other_text():
    text = "`" * 30 + "\ncode\n" + "x" * 60
    assert all(len(piece) <= 40 for piece in split(text, 40))


def test_marks_inside_a_line_open_nothing():
    text = "```not a fence``` but some words that go on and on and on"
    assert split(text, 40) == ["```not a fence``` but some words that go", "on and on and on"]


def test_a_shorter_or_other_fence_does_not_close_a_block():
    text = "````\n```\n~~~\n" + "a\n" * 20 + "````"
    pieces = split(text, 30)
    assert all(piece.startswith("````\n") and piece.endswith("\n````") for piece in pieces)


def test_a_line_that_opens_a_block_is_not_torn():
    text = "some short words\n" + "x" * 20 + " ```\n```python\nprint()\n```"
    assert not any(re.search(r"```pyt?$", piece) for piece in split(text, 46))


def test_a_line_of_other_marks_inside_a_block_is_not_torn():
    assert split("aa~~~\n~~~\n```cccccccc") == ["aa~~~\n~~~\n~~~", "~~~\n```cccccccc"]


def test_a_block_that_is_open_at_the_end_stays_as_it_was_written():
    assert split("```py\ncode", 20) == ["```py\ncode"]


def test_a_block_that_ends_where_the_piece_ends_is_not_opened_again():
    text = "```\n" + "x" * 16 + "\n```\n" + "y" * 40
    assert split(text, 24) == ["```\n" + "x" * 16 + "\n```", "y" * 24, "y" * 16]
    longer = text.replace("\n```\n", "\n``````\n")
    assert split(longer, 24) == ["```\n" + "x" * 16 + "\n```", "y" * 24, "y" * 16]


def test_a_block_whose_marks_take_too_much_is_not_opened_again():
    marks = "`" * 15
    pieces = split(f"{marks}\ncode\n" + "x" * 60, 40)
    assert pieces[0] == f"{marks}\ncode\n{marks}"
    assert pieces[1:] == ["x" * 40, "x" * 20]


def test_windows_line_ends_are_line_ends():
    pieces = split("```py\r\n" + "print(1)\r\n" * 6 + "```\r\nend", 40)
    assert all(piece.count("```") == 2 for piece in pieces[:-1])


def test_blank_lines_at_the_start_of_code_make_no_empty_block():
    text = "```\n\n" + "x" * 60 + "\n```"
    assert not any(re.fullmatch(r"```\s*```", piece) for piece in split(text, 24))


# --- characters -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "character",
    ["e\u0301", "👩‍👩‍👧", "👍🏽", "🏳️‍🌈", "🇩🇪", "각", "\r\n", "\ud83d\ude00", "🏴\U000e0067\U000e0062\U000e007f"],
    ids=["accent", "family", "skin tone", "flag with joiner", "flag", "jamo", "line end", "surrogates", "tags"],
)
@pytest.mark.parametrize("offset", range(6))
def test_no_character_is_torn_apart(character, offset):
    text = "x" * (20 - offset) + character + "y" * 20
    pieces = split(text)
    assert any(character.strip() in piece for piece in pieces)
    assert max(map(len, pieces)) <= 20


def test_flags_are_parted_between_two_of_them():
    assert split("🇩🇪" * 15, 19) == ["🇩🇪" * 9, "🇩🇪" * 6]


def test_a_heap_of_marks_is_cut_all_the_same():
    text = "e" + "\u0301" * 300
    assert [len(piece) for piece in split(text, 100)] == [100, 100, 100, 1]


@pytest.mark.parametrize(
    ("text", "unit", "size"), [("a😀é", "characters", 3), ("a😀é", "utf16", 4), ("a😀é", "bytes", 7)]
)
def test_platforms_count_in_three_ways(text, unit, size):
    assert measure_text(text, unit) == size


def test_a_limit_below_the_least_is_a_defect():
    with pytest.raises(InvariantBroken):
        split_text("x", limit=LIMIT_MIN - 1)


# --- laws -------------------------------------------------------------------------------------------------------------

UNITS = st.sampled_from(["characters", "utf16", "bytes"])
WORDS = st.sampled_from(
    [
        *["a", "word", "\n", "\n\n", " ", "```", "```py", "~~~", "`", "\n```\n", "\n```py\n", "\n~~~\n"],
        *["😀", "👩‍👩‍👧", "e\u0301", "🇩🇪", "x" * 30, "\r\n", "   ", "\ud83d", "\ude00"],
    ]
)


@given(st.lists(WORDS, max_size=60).map("".join), st.integers(LIMIT_MIN, 80), UNITS)
@example("```\n" + "x" * 50, LIMIT_MIN, "bytes")
@example("`" * 200, LIMIT_MIN, "characters")
def test_every_piece_is_within_the_limit_and_says_something(text, limit, unit):
    for piece in split_text(text, limit=limit, unit=unit):
        assert measure_text(piece, unit) <= limit
        assert piece.strip()


@given(st.text(st.characters(exclude_characters="`~"), max_size=300), st.integers(LIMIT_MIN, 80), UNITS)
def test_without_code_nothing_but_blanks_is_lost(text, limit, unit):
    joined = "".join(split_text(text, limit=limit, unit=unit))
    assert "".join(joined.split()) == "".join(text.split())


CODE = st.lists(st.text("abcdef (){}", min_size=1, max_size=30).filter(str.strip), min_size=1, max_size=20)


@given(CODE, st.integers(30, 80))
def test_in_code_nothing_is_lost_and_every_piece_closes_what_it_opens(lines, limit):
    text = "before\n\n```c\n" + "\n".join(lines) + "\n```\nafter"
    pieces = split_text(text, limit=limit)
    assert all(len(re.findall(r"^```", piece, re.MULTILINE)) % 2 == 0 for piece in pieces)
    inside = re.sub(r"^```c?$", "", "\n".join(pieces), flags=re.MULTILINE)
    assert "".join(inside.split()) == "".join(f"before{''.join(lines)}after".split())
