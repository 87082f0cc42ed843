"""An answer on the screen: its words, once and in order, whatever way they come."""

import io

import pytest

from instar.cli.screen import Screen
from instar.client.talk import ChatUpdate


@pytest.fixture
def screen():
    return Screen(io.StringIO(), io.StringIO())


def out(screen):
    return screen._out.getvalue()


def notes(screen):
    return screen._notes.getvalue()


def delta(text, **more):
    return ChatUpdate(kind="delta", run_id="r", text=text, **more)


def final(text=""):
    return ChatUpdate(kind="final", run_id="r", text=text)


def test_words_come_as_they_are_said(screen):
    for text in ("Hel", "Hello", "Hello there"):
        screen.show(delta(text))
    screen.show(final("Hello there."))
    assert out(screen) == "Hello there.\n"


def test_a_piece_that_comes_twice_is_shown_once(screen):
    for update in (delta("one"), delta("one"), delta("one two"), final("one two")):
        screen.show(update)
    assert out(screen) == "one two\n"


def test_a_missing_piece_is_made_up_for_by_the_next(screen):
    screen.show(delta("one"))
    screen.show(delta("one two three"))
    assert out(screen) == "one two three"


def test_a_text_that_begins_anew_begins_on_a_line_of_its_own(screen):
    screen.show(delta("Let me look."))
    screen.show(delta("It is noon.", restarts=True))
    screen.show(final("It is noon."))
    assert out(screen) == "Let me look.\nIt is noon.\n"


def test_tools_are_told_beside_the_words(screen):
    screen.show(delta("Let me look."))
    screen.show(ChatUpdate(kind="tool", run_id="r", tool="status"))
    screen.show(ChatUpdate(kind="tool", run_id="r", tool="status", is_done=True))
    screen.show(ChatUpdate(kind="tool", run_id="r", tool="other\x1b", is_done=True, is_error=True))
    screen.show(delta("Let me look."))
    assert out(screen) == "Let me look.\nLet me look."
    assert notes(screen) == "[tool status]\n[tool other� failed]\n"


def test_a_lost_connection_is_told_and_the_answer_is_then_shown_whole(screen):
    screen.show(delta("Half of"))
    screen.show(ChatUpdate(kind="waiting", run_id="r"))
    screen.show(ChatUpdate(kind="final", run_id="r", text="Half of it, and the rest.", is_late=True))
    assert out(screen) == "Half of\nHalf of it, and the rest.\n"
    assert "lost" in notes(screen)


def test_an_answer_that_was_stopped_keeps_what_was_said(screen):
    screen.show(delta("I was"))
    screen.show(ChatUpdate(kind="aborted", run_id="r", text="I was say"))
    assert (out(screen), notes(screen)) == ("I was say\n", "[Stopped.]\n")


def test_an_error_is_told_in_words(screen):
    screen.show(ChatUpdate(kind="error", run_id="r", error="The provider refused the key."))
    screen.show(ChatUpdate(kind="error", run_id="r"))
    assert notes(screen) == "[The provider refused the key.]\n[The turn failed; the gateway gave no reason.]\n"


def test_an_agent_that_says_nothing_leaves_no_line(screen):
    screen.show(final())
    assert out(screen) == ""


def test_each_answer_begins_on_a_new_line(screen):
    screen.show(delta("one"))
    screen.begin()
    screen.show(delta("one"))
    screen.show(final("one"))
    assert out(screen) == "one\none\n"


def test_orders_to_the_terminal_are_not_carried_out(screen):
    screen.show(final("a\x1b[2Jb\nc"))
    assert out(screen) == "a�[2Jb\nc\n"


def test_a_line_beside_the_answer_goes_to_the_notes(screen):
    screen.show(ChatUpdate(kind="note", run_id="r", text="(Another model answers.)"))
    assert notes(screen) == "[(Another model answers.)]\n"
