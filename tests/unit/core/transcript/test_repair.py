"""Calls and results are paired in what is sent to the model."""

from hypothesis import given
from hypothesis import strategies as st

from instar.core.model.entry import AssistantMessage, ToolCall, ToolResultMessage
from instar.core.transcript.repair import PlacedMessage, build_missing_result, repair_view
from tests.builders.transcripts import assistant, call, result, user


def placed(*messages):
    return [PlacedMessage(entry_id=f"e{index}", message=message) for index, message in enumerate(messages)]


def sent(*messages):
    return [item.message for item in repair_view(placed(*messages)).messages]


CALLS = assistant(call("c1"), call("c2"), stop="toolUse")


def test_sound_conversation_is_left_as_it_is():
    view = placed(user("hi"), CALLS, result("c1", "one"), result("c2", "two"), assistant("done"))

    repaired = repair_view(view)

    assert list(repaired.messages) == view
    assert (repaired.unanswered_calls, repaired.orphaned_results) == ((), ())


def test_call_without_result_gets_one_that_is_an_error():
    repaired = repair_view(placed(user("hi"), CALLS, result("c2", "two"), user("and?")))

    assert [item.message for item in repaired.messages] == [
        user("hi"),
        CALLS,
        build_missing_result(call("c1")),
        result("c2", "two"),
        user("and?"),
    ]
    assert repaired.unanswered_calls == ("c1",)
    assert repaired.messages[2].entry_id is None


def test_missing_result_names_its_call_and_tool():
    missing = build_missing_result(call("c1", "exec"))

    assert (missing.tool_call_id, missing.tool_name, missing.is_error) == ("c1", "exec", True)


def test_result_without_call_is_left_out():
    repaired = repair_view(placed(result("c9", "old"), user("hi")))

    assert [item.message for item in repaired.messages] == [user("hi")]
    assert repaired.orphaned_results == ("c9",)


def test_second_result_of_a_call_is_left_out():
    assert sent(assistant(call("c1")), result("c1", "first"), result("c1", "second")) == [
        assistant(call("c1")),
        result("c1", "first"),
    ]


def test_result_that_stands_apart_moves_behind_its_call():
    assert sent(CALLS, result("c2", "two"), user("steered"), result("c1", "one")) == [
        CALLS,
        result("c1", "one"),
        result("c2", "two"),
        user("steered"),
    ]


def test_result_belongs_to_the_newest_call_of_its_id():
    again = assistant("again", call("c1"))

    assert sent(assistant(call("c1")), again, result("c1", "late")) == [
        assistant(call("c1")),
        build_missing_result(call("c1")),
        again,
        result("c1", "late"),
    ]


def test_result_before_its_call_is_left_out():
    assert sent(result("c1", "early"), assistant(call("c1"))) == [
        assistant(call("c1")),
        build_missing_result(call("c1")),
    ]


some_messages = st.lists(
    st.one_of(
        st.just(user("u")),
        st.lists(st.sampled_from("abc"), max_size=3, unique=True).map(lambda ids: assistant("t", *map(call, ids))),
        st.sampled_from("abc").map(lambda call_id: result(call_id, "r")),
    ),
    max_size=12,
)


@given(messages=some_messages)
def test_every_call_is_followed_by_exactly_its_results_and_nothing_else_changes(messages):
    repaired = sent(*messages)

    expected = []
    for message in repaired:
        if isinstance(message, ToolResultMessage):
            assert expected.pop(0) == message.tool_call_id
            continue
        assert expected == []
        if isinstance(message, AssistantMessage):
            expected = [block.id for block in message.content if isinstance(block, ToolCall)]
    assert expected == []
    plain = [message for message in messages if not isinstance(message, ToolResultMessage)]
    assert [message for message in repaired if not isinstance(message, ToolResultMessage)] == plain


@given(messages=some_messages)
def test_repairing_twice_changes_nothing(messages):
    once = repair_view(placed(*messages)).messages

    assert repair_view(once).messages == once
