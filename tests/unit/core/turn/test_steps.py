"""The middle of a turn: answers, tool results, steered messages (LOSS-3)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instar.core.lifecycle.reset import NOTICE_FIELD
from instar.core.model.change import InboxChange
from instar.core.model.entry import (
    AssistantMessage,
    MessageEntry,
    TextBlock,
    ToolCall,
    ToolResultMessage,
    Usage,
    UserMessage,
)
from instar.core.model.ids import AgentId, EntryId, Instant, SessionId, TurnId
from instar.core.turn.recover import build_steered_reason
from instar.core.turn.steps import (
    ModelCall,
    hang_entries,
    plan_answer,
    plan_finish,
    plan_steer,
    plan_tool_result,
    touch_updated,
)
from instar.errors import InvariantBroken
from tests.builders.turns import NOW, SESSION_ID, build_facts, build_item, build_session

LATER = Instant(NOW + 5_000)
ANSWER = AssistantMessage(
    content=(TextBlock(text="hi"),),
    api="openai-completions",
    provider="p",
    model="m",
    usage=Usage(input=10, output=5, cache_read=3, cache_write=2, total_tokens=20),
    stop_reason="stop",
    timestamp=NOW,
)
CALL = ModelCall(
    agent_id=AgentId("main"),
    provider="p",
    model="m",
    usage=ANSWER.usage,
    context_tokens=20,
    window_tokens=8000,
    cost_usd=0.01,
    principal="ann",
)


def answer(facts, **changes):
    arguments = {
        "session_id": SESSION_ID,
        "entry_id": EntryId("e2"),
        "turn_id": TurnId("t1"),
        "call": CALL,
    } | changes
    return plan_answer(facts, ANSWER, **arguments)


def test_an_answer_hangs_on_the_leaf_found_in_the_transaction() -> None:
    change = answer(build_facts(build_session(), leaf="injected", now=LATER))
    (entry,) = change.entries
    assert isinstance(entry, MessageEntry)
    assert (entry.id, entry.parent_id, entry.timestamp, entry.message) == ("e2", "injected", LATER, ANSWER)


def test_an_answer_books_its_tokens_to_session_and_ledger() -> None:
    change = answer(build_facts(build_session(), leaf="e1", now=LATER))
    assert change.session is not None
    counters = change.session.counters
    assert (counters.input_tokens, counters.output_tokens, counters.total_tokens) == (15, 5, 20)
    assert (counters.context_tokens, counters.model_provider, counters.model) == (8000, "p", "m")
    (line,) = change.ledger
    assert (line.input_tokens, line.cache_read_tokens, line.cache_write_tokens, line.cost_usd) == (10, 3, 2, 0.01)
    assert (line.turn_id, line.principal) == ("t1", "ann")


def test_tokens_add_up_over_answers_while_the_window_is_replaced() -> None:
    facts = build_facts(build_session(), leaf="e1")
    once = answer(facts).session
    twice = answer(replace(facts, session=once), call=replace(CALL, window_tokens=None)).session
    assert twice is not None
    assert (twice.counters.input_tokens, twice.counters.total_tokens) == (30, 20)
    assert twice.counters.context_tokens == 8000


def test_a_line_without_a_model_call_books_nothing() -> None:
    change = answer(build_facts(build_session(), leaf="e1"), call=None, aborted=True)
    assert change.ledger == ()
    assert change.session is not None
    assert change.session.counters.aborted_last_run
    assert change.session.counters.input_tokens == 0


def test_finishing_ends_the_messages_in_the_same_change() -> None:
    ended = (InboxChange(inbound_id=build_item().inbound_id, state="answered", turn_id=TurnId("t1")),)
    assert answer(build_facts(build_session()), ended=ended).inbox == ended


def test_a_tool_result_follows_its_call() -> None:
    call = ToolCall(id="c1", name="look", arguments={"at": 1})
    change = plan_tool_result(
        build_facts(build_session(), leaf="e2"),
        call,
        session_id=SESSION_ID,
        entry_id=EntryId("e3"),
        content=(TextBlock(text="seen"),),
        is_error=True,
        details={"n": 1},
    )
    (entry,) = change.entries
    assert isinstance(entry, MessageEntry)
    assert entry.parent_id == "e2"
    assert entry.message == ToolResultMessage(
        tool_call_id="c1",
        tool_name="look",
        content=(TextBlock(text="seen"),),
        is_error=True,
        timestamp=NOW,
        details={"n": 1},
    )


def test_steered_messages_are_merged_in_their_order_and_count_as_interaction() -> None:
    items = [build_item(number=1), build_item(number=2)]
    entries = [
        MessageEntry(
            id=EntryId(f"s{n}"), parent_id=None, timestamp=NOW, message=UserMessage(content="x", timestamp=NOW)
        )
        for n in (1, 2)
    ]
    facts = build_facts(build_session(), leaf="e2", now=LATER)
    change = plan_steer(facts, items, entries, session_id=SESSION_ID, turn_id=TurnId("t1"))
    assert [(one.id, one.parent_id) for one in change.entries] == [("s1", "e2"), ("s2", "s1")]
    assert [(one.inbound_id, one.state, one.turn_id) for one in change.inbox] == [
        ("in1", "merged", "t1"),
        ("in2", "merged", "t1"),
    ]
    assert change.session is not None
    assert change.session.lifecycle.last_interaction_at == LATER


@pytest.mark.parametrize("session", [None, replace(build_session(), session_id=SessionId("another"))])
def test_a_turn_never_writes_to_a_session_it_did_not_begin_in(session) -> None:
    with pytest.raises(InvariantBroken, match="session it began in"):
        answer(build_facts(session))


def test_a_transcript_without_lines_takes_a_root() -> None:
    assert answer(replace(build_facts(build_session()), transcript=None)).entries[0].parent_id is None
    assert hang_entries((), EntryId("e1")) == ()


def test_updated_at_never_goes_back() -> None:
    session = build_session(started_at=LATER)
    assert touch_updated(session, NOW).lifecycle.updated_at == LATER
    assert (
        touch_updated(replace(session, lifecycle=replace(session.lifecycle, updated_at=None)), NOW).lifecycle.updated_at
        == NOW
    )


def test_the_line_about_a_reset_is_owed_until_an_answer_has_told_it() -> None:
    session = replace(build_session(), extra={NOTICE_FIELD: "daily", "other": 1})
    facts = build_facts(session, leaf="e1")
    kept, told = answer(facts).session, answer(facts, has_told_reset=True).session
    assert kept is not None
    assert told is not None
    assert (kept.extra, told.extra) == ({NOTICE_FIELD: "daily", "other": 1}, {"other": 1})


def test_a_message_that_also_waits_for_a_turn_of_its_own_notes_who_has_taken_its_words() -> None:
    items = [build_item(number=1), build_item(number=2)]
    change = plan_steer(
        build_facts(build_session(), leaf="e2"),
        items,
        (),
        session_id=SESSION_ID,
        turn_id=TurnId("t1"),
        staying={items[1].inbound_id},
        answered=[build_item(number=9)],
    )
    assert [(one.inbound_id, one.state, one.turn_id, one.reason) for one in change.inbox] == [
        ("in9", "running", "t1", None),
        ("in1", "merged", "t1", None),
        ("in2", "waiting", None, build_steered_reason(TurnId("t1"))),
    ]


def test_a_turn_whose_answer_is_stored_only_ends_its_messages() -> None:
    ended = (InboxChange(inbound_id=build_item().inbound_id, state="answered", turn_id=TurnId("t1")),)
    change = plan_finish(build_facts(build_session(), leaf="e2", now=LATER), session_id=SESSION_ID, ended=ended)
    assert (change.entries, change.inbox) == ((), ended)
    assert change.session is not None
    assert change.session.lifecycle.updated_at == LATER
