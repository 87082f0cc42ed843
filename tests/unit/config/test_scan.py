"""Where the values of a JSON5 text stand."""

from __future__ import annotations

import pyjson5
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.config.scan import Node, line_and_column, scan, skip_blank
from instar.errors import InvariantBroken


def rebuild(text: str, node: Node) -> object:
    """The value that the scanner saw, each scalar read by pyjson5 from where the scanner found it."""
    if node.members is not None:
        return {member.name: rebuild(text, member.value) for member in node.members}
    if node.items is not None:
        return [rebuild(text, item) for item in node.items]
    return pyjson5.decode(text[node.start : node.end])


TEXTS = [
    "{}",
    "[]",
    "{a: 1}",
    "{a: 1,}",
    "[1, [2, {b: [],}],]",
    "// head\n{ /* a: */ a /* : */ : /* 1 */ 1 // end, }\n}\n// tail",
    "{'a': \"b\", \"c'd\": 'e\"f', $g_: -.5e+3, ünï: +Infinity}",
    "{a: 'it\\'s', b: \"\\\\\", c: '\\\n'}",
    '{\\u0061b: 1, "\\u0063": 2}',
    "{a: '//', b: \"/* x */\", c: '{', d: \"]\"}",
    "\ufeff{a: 0x1F}",
    "{a\u2028:\u00a01}",
    "{a:1,b:[{},{}],c:null,d:true}",
    "5",
    "'x'",
]


@pytest.mark.parametrize("text", TEXTS)
def test_the_scanner_sees_what_pyjson5_reads(text):
    assert rebuild(text, scan(text)) == pyjson5.decode(text)


def test_places_are_exact():
    text = "{\n  a: [1, 'xy'],\n}"
    node = scan(text)
    assert text[node.start : node.end] == text
    (member,) = node.members
    assert text[member.start : member.end] == "a"
    assert text[member.value.start : member.value.end] == "[1, 'xy']"
    assert [text[item.start : item.end] for item in member.value.items] == ["1", "'xy'"]


def test_of_several_members_of_one_name_the_last_counts():
    node = scan("{a: 1, b: 2, a: 3}")
    assert node.member("a") is node.members[2]
    assert node.member("c") is None


@pytest.mark.parametrize("text", ["", "{", "[1", "{a}", "{a:}", "{a: 1 b: 2}", "[1 2]", "{a: /", ","])
def test_what_pyjson5_would_refuse_does_not_go_unnoticed(text):
    with pytest.raises(InvariantBroken):
        scan(text)


@pytest.mark.parametrize(
    ("text", "at", "expected"),
    [
        ("", 0, (1, 1)),
        ("abc", 2, (1, 3)),
        ("a\nbc", 3, (2, 2)),
        ("a\r\nbc", 3, (2, 1)),
        ("a\rbc", 2, (2, 1)),
        ("é😀x", 2, (1, 3)),
        ("\ufeffab", 2, (1, 2)),
        ("a\n\n\nb", 4, (4, 1)),
    ],
)
def test_lines_and_columns_count_from_one(text, at, expected):
    assert line_and_column(text, at) == expected


def test_blanks_and_comments_are_skipped():
    assert skip_blank(" \t\r\n // x\n /* y\n */ z", 0) == 20
    assert skip_blank("x", 0) == 0
    assert skip_blank("/ x", 0) == 0


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_the_scanner_sees_any_value_that_pyjson5_writes(value):
    text = pyjson5.encode(value)
    assert rebuild(text, scan(text)) == pyjson5.decode(text)
