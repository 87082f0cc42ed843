"""A number of things is said as people say it."""

from __future__ import annotations

import pytest

from instar.core.explain.counting import count_of


@pytest.mark.parametrize(("number", "said"), [(0, "0 files"), (1, "1 file"), (2, "2 files")])
def test_one_thing_is_not_told_as_several(number: int, said: str) -> None:
    assert count_of(number, "file") == said


def test_a_word_with_a_plural_of_its_own_takes_it() -> None:
    assert [count_of(number, "reply waits", "replies wait") for number in (1, 3)] == ["1 reply waits", "3 replies wait"]
