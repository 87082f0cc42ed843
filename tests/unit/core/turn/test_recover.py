"""How an interrupted turn goes on (LOSS-4)."""

from __future__ import annotations

from dataclasses import replace

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
from instar.core.turn.recover import (
    build_given_reason,
    build_steered_reason,
    find_given_answer,
    find_open_calls,
    plan_resume,
    read_steered,
)
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
SAID = calls()


def test_calls_without_a_result_are_open_in_their_order() -> None:
    entries = [entry(1, ASK), entry(2, calls("a", "b", "c")), entry(3, result("b"))]
    assert [call.id for call in find_open_calls(entries)] == ["a", "c"]


def test_a_call_is_open_wherever_it_stands() -> None:
    """Several turns may share a transcript, and people inject lines into it."""
    note = CustomEntry(id=EntryId("e9"), parent_id=None, timestamp=NOW, custom_type="x")
    entries = [entry(1, ASK), entry(2, calls("a")), note, entry(3, ASK), entry(4, SAID)]
    assert [call.id for call in find_open_calls(entries)] == ["a"]


def test_a_result_belongs_to_the_newest_call_of_its_id() -> None:
    entries = [entry(1, calls("a")), entry(2, result("a")), entry(3, calls("a"))]
    assert [call.id for call in find_open_calls(entries)] == ["a"]
    assert find_open_calls([*entries, entry(4, result("a"))]) == ()


def test_a_transcript_without_calls_has_none_open() -> None:
    assert find_open_calls([]) == ()
    assert find_open_calls([entry(1, ASK), entry(2, result("stray"))]) == ()


def test_the_row_of_a_message_notes_which_answer_it_was_given() -> None:
    given = replace(build_item(), reason=build_given_reason(EntryId("e2")))
    entries = [entry(1, ASK), entry(2, SAID), entry(3, ASK), entry(4, SAID)]
    assert find_given_answer(entries, [build_item(), given]) is SAID
    assert find_given_answer(entries[:1], [given]) is None
    assert find_given_answer(entries, [build_item()]) is None
    assert find_given_answer([entry(2, ASK)], [given]) is None


def test_the_row_of_a_waiting_message_notes_the_turn_that_has_taken_its_words() -> None:
    assert read_steered(replace(build_item(), reason=build_steered_reason(TurnId("t1")))) == "t1"
    assert read_steered(replace(build_item(), reason="stopped")) is None
    assert read_steered(build_item()) is None


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
