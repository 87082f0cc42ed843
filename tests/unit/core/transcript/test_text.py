"""The words of messages of every role."""

import pytest

from instar.core.model.entry import ThinkingBlock
from instar.core.transcript.text import content_text, message_text, other_content
from tests.builders.transcripts import assistant, call, image, other, result, text, user


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (user("hi"), "hi"),
        (user([text("a"), image(), text("b")]), "a\nb"),
        (assistant(ThinkingBlock(thinking="hm"), "yes", call("c")), "yes"),
        (result("c", "out"), "out"),
        (other("custom", content="note"), "note"),
        (other("custom", content=[{"type": "text", "text": "note"}, "odd"]), "note"),
        (other("custom"), ""),
        (other("bashExecution", command="ls", output="a b"), "ls\na b"),
        (other("bashExecution", command="ls"), "ls"),
        (other("branchSummary", summary="s"), "s"),
        (other("compactionSummary", summary="s"), "s"),
        (other("unheard-of", content="x"), ""),
    ],
)
def test_words_of_a_message(message, words):
    assert message_text(message) == words


def test_plain_content_is_its_own_text():
    assert content_text("hi") == "hi"


def test_content_of_a_further_role_is_text_or_blocks():
    assert other_content(other("custom", content=[{"type": "text", "text": "a"}])) == (text("a"),)
    assert other_content(other("custom", content=5)) == ""
