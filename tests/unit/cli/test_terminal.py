"""Text on its way to a terminal or a pipe: harmless, in the encoding that is there, coloured only where wanted."""

import io
import json
import sys

import pytest

from instar.cli.terminal import clean, paint, prepare_streams, print_json, say, shows_colour, warn


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("env", "is_on"), [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)]
)
def test_colour_is_for_terminals_whose_users_want_it(env, is_on):
    assert shows_colour(Terminal(), env) is is_on
    assert shows_colour(io.StringIO(), env) is False


def test_paint_is_undone_at_its_end_and_leaves_no_mark_when_off():
    assert paint("x", "bold", "red", on=True) == "\x1b[1;31mx\x1b[0m"
    assert paint("x", "bold", on=False) == "x"
    assert paint("", "bold", on=True) == ""


def test_clean_keeps_words_of_every_script_and_drops_orders():
    assert clean("héllo 日本 🙂") == "héllo 日本 🙂"
    assert clean("a\x1b]0;title\x07b\u202ec\x00d\ne") == "a�]0;title�b�c�d�e"
    assert clean("a\n\tb\x1bc", lines=True) == "a\n\tb�c"


def make_stdout(monkeypatch, encoding):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    return raw


def test_what_cannot_be_encoded_is_shown_as_a_question_mark(monkeypatch):
    raw = make_stdout(monkeypatch, "ascii")
    prepare_streams()
    say("naïve … 日本")
    sys.stdout.flush()
    assert raw.getvalue() == b"na?ve ? ??\n"


def test_a_stream_that_was_closed_before_the_start_goes_nowhere(monkeypatch):
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    prepare_streams()
    say("nobody hears")
    warn("nobody hears")
    assert sys.stdin.read() == ""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        stream.close()


def test_json_is_whole_in_every_encoding(monkeypatch):
    raw = make_stdout(monkeypatch, "ascii")
    print_json({"text": "日本"})
    sys.stdout.flush()
    assert json.loads(raw.getvalue()) == {"text": "日本"}
    raw = make_stdout(monkeypatch, "utf-8")
    prepare_streams()
    print_json({"text": "日本", "half": "\ud800"})
    sys.stdout.flush()
    assert "日本".encode() in raw.getvalue()
    assert json.loads(raw.getvalue())["half"] == "?"


def test_warnings_go_beside_the_answer(capsys):
    say("answer")
    warn("beside")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("answer\n", "beside\n")
