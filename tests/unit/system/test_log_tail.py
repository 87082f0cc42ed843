"""The end of the log, question by question (RPC-20)."""

from __future__ import annotations

import json

import pytest

from instar.system.log_tail import read_tail


@pytest.fixture
def path(tmp_path):
    return tmp_path / "gateway.log"


def tail(path, *, cursor=None, limit=100, max_bytes=10_000, session=None):
    return read_tail(path, cursor=cursor, limit=limit, max_bytes=max_bytes, session=session)


def test_without_a_cursor_the_last_lines_come_and_the_cursor_goes_on_from_there(path):
    path.write_text("one\ntwo\nthree\n")
    first = tail(path, limit=2)
    assert (first.lines, first.truncated, first.cursor, first.size) == (("two", "three"), True, 14, 14)
    assert tail(path, cursor=first.cursor).lines == ()
    with path.open("a") as file:
        file.write("four\nfi")
    more = tail(path, cursor=first.cursor)
    assert (more.lines, more.cursor, more.truncated) == (("four",), 19, False)
    with path.open("a") as file:
        file.write("ve\n")
    assert tail(path, cursor=more.cursor).lines == ("five",)


def test_bytes_are_limited_and_no_line_is_cut(path):
    path.write_text("aaaa\nbbbb\ncccc\n")
    cut = tail(path, max_bytes=12)
    assert (cut.lines, cut.truncated) == (("bbbb", "cccc"), True)
    assert tail(path, max_bytes=10).lines == ("bbbb", "cccc")
    assert tail(path, max_bytes=3).lines == ()
    assert tail(path, cursor=0, max_bytes=6).lines == ("cccc",)


def test_a_log_that_was_set_aside_is_read_anew(path):
    path.write_text("new\n")
    anew = tail(path, cursor=5000)
    assert (anew.lines, anew.reset, anew.cursor) == (("new",), True, 4)


def test_no_log_yet_is_an_empty_one(path):
    assert tail(path).lines == ()
    assert tail(path, cursor=3).reset
    path.write_text("")
    assert tail(path).cursor == 0


def test_only_lines_about_a_session(path):
    lines = [
        {"event": "a", "session_key": "agent:main:main"},
        {"event": "b", "session_key": "agent:main:other"},
        {"event": "c", "note": "agent:main:main"},
        {"event": "d", "session_id": "s1"},
    ]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines) + "agent:main:main {\n[1]\n")
    found = tail(path, session=frozenset({"agent:main:main", "s1"}))
    assert [json.loads(line)["event"] for line in found.lines] == ["a", "d"]
