"""A sealed value opens at its place, under its key, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.stores.sealing.cells import (
    FILE_MARK,
    KEY_CHARS,
    MARK,
    cell_key,
    draw_name,
    make_box,
    open_cell,
    open_file,
    seal_cell,
    seal_file,
)

NAME, OTHER_NAME = "A" * KEY_CHARS, "B" * KEY_CHARS
BOXES = {NAME: make_box(b"k" * 32), OTHER_NAME: make_box(b"j" * 32)}
PLACE = ("entries.line", 3, 7)

texts = st.text(st.characters(codec=None), max_size=200)
places = st.lists(st.one_of(st.integers(), st.text(max_size=5), st.none()), max_size=3).map(tuple)


def seal(text: str, place=PLACE, name: str = NAME) -> str:
    return seal_cell(text, name=name, box=BOXES[name], place=place)


def opened(cell: str, place=PLACE, boxes=BOXES) -> str | None:
    return open_cell(cell, find=boxes.get, place=place)


@given(texts, places)
def test_what_was_sealed_comes_back(text, place):
    assert opened(seal(text, place), place) == text


@given(texts, places, places)
def test_it_opens_at_no_other_place(text, place, other):
    if place != other:
        assert opened(seal(text, place), other) is None


@given(texts, st.integers(min_value=0), st.sampled_from("Aq0-_="))
def test_one_changed_sign_closes_it(text, at, sign):
    cell = seal(text)
    at = len(MARK) + at % (len(cell) - len(MARK))
    changed = cell[:at] + sign + cell[at + 1 :]
    # The last sign of base64 may carry bits that are no part of the value.
    if changed != cell and at < len(cell) - 3:
        assert opened(changed) is None


@pytest.mark.parametrize("cell", ["", "hello", MARK, MARK + "short", MARK + NAME, MARK + NAME + "not base64 !", "{}"])
def test_what_is_no_cell_does_not_open(cell):
    assert opened(cell) is None


def test_it_tells_the_name_of_its_key_and_needs_that_key():
    cell = seal("hello")
    assert cell_key(cell) == NAME
    assert opened(cell, boxes={OTHER_NAME: BOXES[OTHER_NAME]}) is None
    assert opened(cell, boxes={NAME: BOXES[OTHER_NAME]}) is None
    assert cell_key("hello") is None
    assert cell_key(None) is None
    assert cell_key(7) is None


def test_the_same_text_never_looks_the_same():
    assert len({seal("hello") for _ in range(100)}) == 100
    assert len({draw_name() for _ in range(100)}) == 100
    assert {len(draw_name()) for _ in range(100)} == {KEY_CHARS}


def test_it_is_text_that_says_nothing_of_the_words():
    cell = seal("zebra zebra zebra")
    assert cell.isascii()
    assert "zebra" not in cell


@given(st.binary(max_size=300))
def test_a_file_comes_back_and_not_when_it_was_changed(content):
    sealed = seal_file(content, name=NAME, box=BOXES[NAME])
    assert sealed.startswith(FILE_MARK)
    assert open_file(sealed, find=BOXES.get) == content
    assert open_file(sealed[:-1] + bytes([sealed[-1] ^ 1]), find=BOXES.get) is None
    assert open_file(sealed, find={}.get) is None
    assert open_file(content, find=BOXES.get) is None
