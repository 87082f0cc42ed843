"""What a message says without the wrapping around it (CMD-2, CMD-9)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.policy.command_text import split_at_marker, strip_wrapping

MARKER = "[Current message - respond to this]"


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("  /new   now \n please ", "/new now please"),
        ("[Dec 4 17:35] /new", "/new"),
        ("[WhatsApp +1 555] Alice: /new", "/new"),
        ("Alice: /reset", "/reset"),
        ("Zoë O'Neil (work): /new", "/new"),
        ("Alice:/new", "/new"),
        ("/new Note: buy milk", "/new Note: buy milk"),
        ("/new\nTodo: buy milk", "/new Todo: buy milk"),
        ("/new: hi", "/new: hi"),
        ("really, Alice: /new", "really, Alice: /new"),
        ("/new keep [this] Case", "/new keep Case"),
        (f"Bob: hi\n{MARKER}\nAlice: /new", "/new"),
        (f"Bob: {MARKER} /reset\n{MARKER}\nAlice: hello", "hello"),
        ("[open /new", "[open /new"),
        ("", ""),
        ("[only brackets]", ""),
    ],
)
def test_context_brackets_labels_and_blanks_are_taken_off(text, bare):
    assert strip_wrapping(text) == bare


def test_mentions_are_taken_off_in_groups_only():
    patterns = (r"@bot\b", "(unclosed")
    assert strip_wrapping("Hey @BOT, @15551234567 @+4912345 /new", is_group=True, mention_patterns=patterns) == (
        "Hey , /new"
    )
    assert strip_wrapping("@bot /new", mention_patterns=patterns) == "@bot /new"
    assert strip_wrapping("@1234 /new", is_group=True) == "@1234 /new"


def test_a_message_of_nothing_but_brackets_costs_no_more_than_its_length():
    assert strip_wrapping("[" * 200_000) == "[" * 200_000
    assert strip_wrapping("[current message " * 20_000).startswith("[current message")


@given(st.text())
def test_stripping_gives_one_line_and_the_parts_are_the_whole(text):
    bare = strip_wrapping(text)
    assert bare == " ".join(bare.split())
    assert "".join(split_at_marker(text)) == text
