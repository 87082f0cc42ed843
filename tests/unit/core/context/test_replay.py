"""Images of older turns are shown once."""

import pytest

from instar.core.context.replay import build_replay_view
from instar.core.model.entry import OtherBlock
from instar.core.transcript.codec_messages import format_message, parse_message
from instar.core.transcript.repair import PlacedMessage
from tests.builders.transcripts import assistant, call, image, other, result, text, user


def shown(*messages):
    placed = [PlacedMessage(entry_id=f"e{index}", message=message) for index, message in enumerate(messages)]
    return [item.message for item in build_replay_view(placed)]


def has_image(message):
    return any(block == image() for block in message.content)


def turn():
    return [user([text("look"), image()]), assistant("seen")]


def test_three_completed_turns_and_the_running_one_keep_their_images():
    messages = shown(*turn(), *turn(), *turn(), *turn(), user([image()]))

    assert [has_image(message) for message in messages] == [
        False, False, True, False, True, False, True, False, True
    ]  # fmt: skip


def test_replaced_image_leaves_a_marker_in_its_place():
    message = shown(*turn(), *turn(), *turn(), *turn())[0]

    assert message.content[0] == text("look")
    assert message.content[1].text.startswith("[An image stood here")


def test_images_of_tool_results_are_replaced_too():
    old = [user("go"), assistant(call("c1")), result("c1", "shot", image()), assistant("seen")]

    messages = shown(*old, *turn(), *turn(), *turn())

    assert not has_image(messages[2])
    assert messages[2].tool_call_id == "c1"


def test_turn_that_ended_in_a_tool_call_is_not_complete():
    cut_off = [user([image()]), assistant(call("c1"))]

    messages = shown(*turn(), *cut_off, *turn(), *turn())

    assert has_image(messages[0])
    assert has_image(messages[2])


def test_several_user_messages_in_a_row_are_one_turn():
    messages = shown(*turn(), user([image()]), user([image()]), assistant("both"), *turn(), *turn())

    assert not has_image(messages[0])
    assert has_image(messages[2])
    assert has_image(messages[3])


def test_what_was_put_into_a_turn_is_old_when_the_turn_is():
    """A turn that somebody wrote into while it ran is one turn, and keeps all of its images as long as any."""
    busy = [user([image()]), assistant(call("c1")), result("c1", image()), user([image()]), assistant("seen")]

    assert shown(*busy, *turn(), *turn()) == [*busy, *turn(), *turn()]
    assert not any(map(has_image, shown(*busy, *turn(), *turn(), *turn())[:5]))


def test_turn_that_begins_at_a_prompt_of_the_gateway_is_one_as_well():
    again = [other("custom", content="Now answer this.", customType="instar.backlog"), assistant("seen")]

    messages = shown(*turn(), *again, *turn(), *turn())

    assert not has_image(messages[0])
    assert has_image(messages[4])


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("a [media attached: /tmp/x.png (image/png)] b", "a {marker} b"),
        ("[Image: source: /tmp/x.png]", "{marker}"),
        ("see media://inbound/abc.png now", "see {marker} now"),
        ("no media here [note]", "no media here [note]"),
    ],
)
def test_media_references_of_older_turns_are_replaced(words, left):
    marker = "[A media file was named here; it was looked at in an earlier turn.]"

    messages = shown(user(words), assistant("ok"), *turn(), *turn(), *turn())

    assert messages[0].content == left.format(marker=marker)


def test_result_whose_line_held_plain_text_is_replaced_in_it_too():
    raw = {"role": "toolResult", "toolCallId": "c", "toolName": "t", "content": "[media attached: x]"}

    message = shown(user("go"), parse_message(raw), assistant("ok"), *turn(), *turn(), *turn())[1]

    assert "[media attached" not in str(format_message(message))


def test_blocks_of_other_kinds_stay():
    audio = OtherBlock(raw={"type": "audio"})

    assert shown(user([audio, image()]), assistant("ok"), *turn(), *turn(), *turn())[0].content[0] == audio


def test_result_without_media_is_left_as_it_is():
    old = [user("go"), assistant(call("c1")), result("c1", "[plain] text"), assistant("ok")]

    assert shown(*old, *turn(), *turn(), *turn())[:4] == old


def test_answers_and_other_messages_are_never_altered():
    old = [user("x"), assistant("[media attached: x]", image()), other("custom", content="[media attached: x]")]

    assert shown(*old, *turn(), *turn(), *turn())[1:3] == old[1:]


def test_short_conversation_is_left_as_it_is():
    assert shown(*turn()) == turn()
    assert shown() == []
