"""How an interrupted turn goes on (LOSS-4)."""

from __future__ import annotations

from instar.core.model.entry import (
    ZERO_USAGE,
    AnyMessage,
    AssistantMessage,
    CustomEntry,
    MessageEntry,
    TextBlock,
    ToolCall,
    ToolResultMessage,
    UserMessage,
)
from instar.core.model.ids import EntryId, TurnId
from instar.core.turn.recover import find_open_calls, plan_resume
from tests.builders.turns import NOW, build_facts, build_item, build_session


def entry(number: int, message: AnyMessage) -> MessageEntry:
    return MessageEntry(id=EntryId(f"e{number}"), parent_id=None, timestamp=NOW, message=message)


def calls(*ids: str) -> AssistantMessage:
    return AssistantMessage(
        content=(TextBlock(text="…"), *(ToolCall(id=one, name="look", arguments={}) for one in ids)),
        api="openai-completions",
        provider="p",
        model="m",
        usage=ZERO_USAGE,
        stop_reason="toolUse",
        timestamp=NOW,
    )


def result(call_id: str) -> ToolResultMessage:
    return ToolResultMessage(tool_call_id=call_id, tool_name="look", content=(), is_error=False, timestamp=NOW)


ASK = UserMessage(content="look", timestamp=NOW)


def test_calls_without_a_result_are_open_in_their_order() -> None:
    entries = [entry(1, ASK), entry(2, calls("a", "b", "c")), entry(3, result("b"))]
    assert [call.id for call in find_open_calls(entries)] == ["a", "c"]


def test_lines_that_are_no_messages_do_not_end_the_search() -> None:
    note = CustomEntry(id=EntryId("e9"), parent_id=None, timestamp=NOW, custom_type="x")
    assert [call.id for call in find_open_calls([entry(1, ASK), entry(2, calls("a")), note])] == ["a"]


def test_calls_before_a_newer_user_message_are_history() -> None:
    assert find_open_calls([entry(1, ASK), entry(2, calls("a")), entry(3, ASK)]) == ()


def test_a_transcript_without_calls_has_none_open() -> None:
    assert find_open_calls([]) == ()
    assert find_open_calls([entry(1, ASK)]) == ()


def test_going_on_after_a_cut_is_recorded_once_for_the_turn() -> None:
    facts = build_facts(build_session(), leaf="e1")
    change = plan_resume(facts, [build_item(number=1), build_item(number=2)], turn_id=TurnId("t1"))
    (noted,) = change.decisions
    assert (noted.decision.outcome, noted.decision.rule, noted.turn_id) == ("turn_resumed", "LOSS-4", "t1")
    assert noted.decision.inputs == {"messages": 2, "entries": 1}
    assert change.session is None
    assert change.entries == ()


def test_a_cut_before_the_first_line_is_recorded_too() -> None:
    (noted,) = plan_resume(build_facts(), [build_item()], turn_id=TurnId("t1")).decisions
    assert noted.decision.inputs["entries"] == 0
