"""Words by which a person can be told from others, and texts without them (LEAK-11)."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.policy.needles import (
    BLANK,
    NEEDLES_MAX,
    NO_WORDS,
    build_cleaner,
    build_pattern,
    choose_needles,
    clean_value,
    extract_needles,
)

WORDS = st.text(alphabet="abAB01.@-+* (|", min_size=1, max_size=8).filter(str.strip)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hello there", set()),
        ("code is x7", set()),
        ("call 0171-55512", {"0171-55512", "call 0171-55512"}),
        ("ann@mail.org", {"ann@mail.org"}),
        ("pneumonologically", {"pneumonologically"}),
        ('say "panda-9"', {"panda-9"}),
        ("a short line of mine", {"a short line of mine"}),
        ("x" * 200, {"x" * 200}),
    ],
)
def test_distinctive_words_are_numbers_addresses_long_words_and_whole_sentences(text, expected):
    assert set(extract_needles([text])) >= expected
    assert all(word in text for word in extract_needles([text]))
    if not expected:
        assert not extract_needles([text])


def test_without_words_nothing_is_found_or_changed():
    assert build_pattern([]) is None
    assert build_pattern([""]) is None
    assert build_cleaner([]) == NO_WORDS
    assert not NO_WORDS.finds("anything")
    assert list(NO_WORDS.find_all("anything")) == []
    assert NO_WORDS.clean("anything") == "anything"


def test_a_word_is_found_as_a_whole_and_the_longer_one_first():
    cleaner = build_cleaner(["Ann", "Ann Moor", "anna-1", "anna-17"])
    assert cleaner.clean("Ann Moor, Ann, Annual, anna-17, anna-175, anna-1.") == (
        f"{BLANK}, {BLANK}, Annual, {BLANK}, anna-175, {BLANK}."
    )
    assert list(cleaner.find_all("Ann Moor and Ann")) == ["Ann Moor", "Ann"]
    assert cleaner.finds("Ann")
    assert not cleaner.finds("Annual")


def test_of_too_many_words_the_longest_are_looked_for():
    cleaner = build_cleaner([f"{number:05}" for number in range(NEEDLES_MAX)] + ["the-longest"])
    assert cleaner.finds("the-longest")
    assert not cleaner.finds(f"{NEEDLES_MAX - 1:05}")


@given(st.sets(WORDS, min_size=1, max_size=12), WORDS)
def test_the_tree_finds_what_a_plain_list_of_words_finds(words, other):
    pattern = build_pattern(words)
    assert pattern is not None
    plain = "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))
    text = f"{other} {' '.join(sorted(words))} {other}{min(words)}"
    slow = re.compile(rf"(?<![0-9A-Za-z_])(?:{plain})(?![0-9A-Za-z_])")
    assert [found.group() for found in re.finditer(pattern, text)] == [found.group() for found in slow.finditer(text)]


def test_names_are_looked_for_however_much_somebody_wrote():
    words = [f"a-word-of-theirs-{number:05}" for number in range(NEEDLES_MAX + 9)]
    chosen = choose_needles([*words, "short-1", "Ann"], names=["Ann", "ann-7"])
    assert {"Ann", "ann-7"} <= chosen
    assert len(chosen) == NEEDLES_MAX
    assert "short-1" not in chosen
    assert choose_needles(["zebra-1"], names=["Ann"]) == {"zebra-1", "Ann"}
    assert choose_needles(["zebra-1"], names=words) == set(words)


@pytest.mark.parametrize("sign", ["\n", "\t", "\r", "\f", "\b", '"', "\\"])
def test_a_word_is_found_behind_every_escape_of_json(sign):
    cleaner = build_cleaner(["zebra-1"])
    told = json.dumps({"text": f"a{sign}zebra-1"})
    assert json.loads(cleaner.clean(told)) == {"text": f"a{sign}{BLANK}"}
    assert json.loads(json.loads(cleaner.clean(json.dumps(told)))) == {"text": f"a{sign}{BLANK}"}


@pytest.mark.parametrize("sign", [*"bfnrt", "a", "Z", "0", "_"])
def test_no_word_is_found_behind_a_letter(sign):
    assert not build_cleaner(["zebra-1"]).finds(f"a{sign}zebra-1")
    assert not build_cleaner(["zebra-1"]).finds(f"{sign}zebra-1")


def test_a_value_is_cleaned_through_and_through():
    value = {"a": ["zebra-1", 1, None], "b": {"c": "Ann!"}}
    assert clean_value(value, build_cleaner(["zebra-1", "Ann"])) == {"a": [BLANK, 1, None], "b": {"c": f"{BLANK}!"}}
