"""What goes to a provider: users, answers and results, each valid where it stands."""

from datetime import UTC

import pytest

from instar.core.context.envelope import Envelope, add_envelope
from instar.core.context.render import NOT_BY_A_PERSON, render_messages
from instar.core.transcript.repair import PlacedMessage
from tests.builders.transcripts import assistant, call, image, other, result, text, user


def sent(*messages):
    placed = [PlacedMessage(entry_id=f"e{index}", message=message) for index, message in enumerate(messages)]
    return [item.message for item in render_messages(placed, UTC).messages]


def test_plain_conversation_goes_as_it_is():
    talk = [user("a"), assistant("b", call("c")), result("c", "d"), assistant("e")]

    assert sent(*talk) == talk


def test_group_message_carries_its_sender():
    message = add_envelope(user("hi"), Envelope(sender="Ann"))

    assert sent(message)[0].content == "[Ann] hi"


def test_summaries_say_what_they_are():
    compaction, branch = sent(other("compactionSummary", summary="the plan"), other("branchSummary", summary="a try"))

    assert compaction.content.endswith("<summary>\nthe plan\n</summary>")
    assert "left out" in compaction.content
    assert branch.content.endswith("<summary>\na try\n</summary>")


def test_plugin_message_is_a_user_message():
    assert sent(other("custom", content=[{"type": "text", "text": "n"}]))[0].content == (text("n"),)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"command": "ls", "output": "a\nb"}, "I ran `ls`.\n```\na\nb\n```"),
        ({"command": "ls", "output": ""}, "I ran `ls`.\nIt printed nothing."),
        ({"command": "ls", "output": "", "cancelled": True}, "I ran `ls`.\nIt printed nothing.\nI cancelled it."),
        ({"command": "ls", "output": "", "exitCode": 2}, "I ran `ls`.\nIt printed nothing.\nIt ended with code 2."),
        ({"command": "ls", "output": "", "exitCode": 0}, "I ran `ls`.\nIt printed nothing."),
    ],
)
def test_shell_run_tells_command_output_and_end(fields, words):
    assert sent(other("bashExecution", **fields))[0].content == words


@pytest.mark.parametrize(
    "message",
    [
        user(""),
        user([]),
        assistant(),
        other("compactionSummary", summary=""),
        other("branchSummary"),
        other("custom", content=""),
        other("bashExecution", command="ls", output="x", excludeFromContext=True),
        other("unheard-of", content="x"),
    ],
)
def test_message_without_content_for_the_model_is_left_out(message):
    assert sent(user("hi"), message) == [user("hi")]


def test_context_that_begins_with_an_answer_gets_a_first_line():
    first, answer = sent(assistant("hello"))

    assert (first.content, answer) == ("[The conversation begins here.]", assistant("hello"))


def test_empty_context_stays_empty():
    assert sent() == []


def test_open_calls_and_orphaned_results_are_repaired_and_told():
    placed = [
        PlacedMessage(entry_id="e0", message=result("c0", "old")),
        PlacedMessage(entry_id="e1", message=assistant(call("c1"))),
    ]

    view = render_messages(placed, UTC)

    assert (view.unanswered_calls, view.orphaned_results) == (("c1",), ("c0",))
    assert len(view.messages) == 3


def test_message_with_an_image_alone_is_sent():
    assert sent(user([image()])) == [user([image()])]


def test_a_message_of_a_plug_in_says_that_no_person_wrote_it():
    note, words = sent(other("custom", content="be brief"), user("hi"))

    assert note.extra == NOT_BY_A_PERSON
    assert words.extra == {}
