"""A log grows without changing the values it grew from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.context.log import AppendLog


def test_appending_leaves_the_older_value_as_it_was():
    one = AppendLog(["a"])
    two = one.append("b")

    assert list(one) == ["a"]
    assert list(two) == ["a", "b"]


def test_two_values_may_grow_from_the_same_one():
    base = AppendLog(["a"])

    left, right = base.append("b"), base.append("c")

    assert (list(left), list(right), list(base)) == (["a", "b"], ["a", "c"], ["a"])


def test_log_is_read_like_a_tuple():
    log = AppendLog("abc")
    longer = log.append("d")

    assert (log[0], log[-1], log[1:], len(log)) == ("a", "c", ["b", "c"], 3)
    assert longer[-1] == "d"
    for index in (3, -4):
        with pytest.raises(IndexError):
            log[index]


def test_logs_of_equal_items_are_equal():
    assert AppendLog("ab") == AppendLog("a").append("b")
    assert hash(AppendLog("ab")) == hash(AppendLog("a").append("b"))
    assert AppendLog("a") != AppendLog("b")
    assert AppendLog("a") != ["a"]
    assert repr(AppendLog("a")) == "AppendLog(['a'])"


@given(steps=st.lists(st.tuples(st.integers(0, 20), st.integers())))
def test_every_value_keeps_its_items_however_others_grow(steps):
    logs, expected = [AppendLog()], [()]
    for at, item in steps:
        index = at % len(logs)
        logs.append(logs[index].append(item))
        expected.append((*expected[index], item))

    assert [tuple(log) for log in logs] == expected
