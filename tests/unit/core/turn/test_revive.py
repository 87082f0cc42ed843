"""Bringing back and holding on: resume a closed transcript, pin an entry (LOSS-6, LOSS-9)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instar.core.context.pins import PIN_TYPE
from instar.core.model.change import TranscriptHead
from instar.core.model.entry import CustomEntry, Header, MessageEntry, UserMessage
from instar.core.model.ids import EntryId, Instant, SessionId
from instar.core.model.session import Counters
from instar.core.turn.revive import plan_pin, plan_resume_transcript
from instar.errors import NotFound
from tests.builders.turns import KEY, NOW, SESSION_ID, build_facts, build_session

OLD = SessionId("33333333-3333-4333-8333-333333333333")
CLOSED = TranscriptHead(
    session_id=OLD, key=KEY, header=Header(id=OLD, timestamp=Instant(NOW - 9)), began_at=Instant(NOW - 9), closed_at=NOW
)
LINE = MessageEntry(
    id=EntryId("e1"), parent_id=None, timestamp=NOW, message=UserMessage(content="keep this", timestamp=NOW)
)


def test_a_closed_transcript_becomes_current_and_the_current_one_is_closed() -> None:
    session = replace(build_session(started_at=Instant(NOW - 7)), counters=Counters(input_tokens=9, model="m"))
    change = plan_resume_transcript(build_facts(session, leaf="e1"), CLOSED, who="ann")
    assert (change.close, change.open) == ("resume", CLOSED.header)
    assert change.session is not None
    assert change.session.session_id == OLD
    assert change.session.lifecycle.started_at == NOW
    assert (change.session.counters.input_tokens, change.session.counters.model) == (0, "m")
    (noted,) = change.decisions
    assert noted.decision.inputs == {"resumed": OLD, "closed": SESSION_ID}


def test_what_was_noted_of_the_life_that_ends_is_not_carried_into_the_one_that_goes_on() -> None:
    session = replace(build_session(), extra={"resetNotice": "idle", "sessionFile": "new.jsonl", "colour": "blue"})
    change = plan_resume_transcript(build_facts(session, leaf="e1"), CLOSED, who="ann")
    assert change.session is not None
    assert change.session.extra == {"colour": "blue"}


def test_a_session_whose_transcript_is_gone_only_opens_the_old_one() -> None:
    facts = replace(build_facts(build_session()), transcript=None)
    assert plan_resume_transcript(facts, CLOSED, who="ann").close is None


def test_there_is_nothing_to_resume_without_a_session() -> None:
    with pytest.raises(NotFound):
        plan_resume_transcript(build_facts(), CLOSED, who="ann")


@pytest.mark.parametrize(("pinned", "outcome"), [(True, "pinned"), (False, "unpinned")])
def test_a_pin_is_an_entry_more(pinned: bool, outcome: str) -> None:
    facts = build_facts(build_session(), leaf="e5")
    change = plan_pin(facts, LINE, entry_id=EntryId("e6"), pinned=pinned, in_view=True, who="ann")
    (entry,) = change.entries
    assert isinstance(entry, CustomEntry)
    assert (entry.custom_type, entry.parent_id) == (PIN_TYPE, "e5")
    assert change.decisions[0].decision.outcome == outcome


def test_there_is_nothing_to_pin_without_a_session() -> None:
    with pytest.raises(NotFound):
        plan_pin(build_facts(), LINE, entry_id=EntryId("e6"), pinned=True, in_view=True, who="ann")
