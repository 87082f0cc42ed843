"""Bringing back and holding on: resume a closed transcript, pin an entry (LOSS-6, LOSS-9)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instar.core.context.pins import PIN_TYPE
from instar.core.model.change import TranscriptHead
from instar.core.model.entry import CustomEntry, Header, MessageEntry, UserMessage
from instar.core.model.ids import EntryId, Instant, SessionId
from instar.core.model.session import Counters, Naming
from instar.core.turn.entries import build_first_words
from instar.core.turn.revive import find_closed_transcript, plan_pin, plan_resume_transcript
from instar.errors import InvalidRequest, NotFound
from tests.builders.turns import KEY, NOW, SESSION_ID, build_facts, build_session

OLD = SessionId("33333333-3333-4333-8333-333333333333")
CLOSED = TranscriptHead(
    session_id=OLD, key=KEY, header=Header(id=OLD, timestamp=Instant(NOW - 9)), began_at=Instant(NOW - 9), closed_at=NOW
)
LINE = MessageEntry(
    id=EntryId("e1"), parent_id=None, timestamp=NOW, message=UserMessage(content="keep this", timestamp=NOW)
)


def life(name: str, *, is_closed: bool = True) -> TranscriptHead:
    return replace(CLOSED, session_id=SessionId(name), closed_at=NOW if is_closed else None)


LIVES = (life("aa00", is_closed=False), life("bb11"), life("bb22"), life("cc33"))


@pytest.mark.parametrize(("which", "found"), [("", "bb11"), ("  ", "bb11"), ("CC", "cc33"), (" bb2 ", "bb22")])
def test_the_last_closed_session_or_the_one_that_is_named_goes_on(which: str, found: str) -> None:
    assert find_closed_transcript(LIVES, which).session_id == found


@pytest.mark.parametrize(
    ("which", "said"),
    [
        ("dd", 'No closed session has an id that begins with "dd": closed are bb11, bb22, cc33. Give the beginning'),
        ("aa0", "That session is the current one: closed are bb11, bb22, cc33."),
    ],
)
def test_an_id_that_fits_none_is_told_with_those_that_there_are(which: str, said: str) -> None:
    with pytest.raises(NotFound) as raised:
        find_closed_transcript(LIVES, which)
    assert said in str(raised.value)


def test_of_many_closed_sessions_five_are_named() -> None:
    with pytest.raises(NotFound, match="closed are x0, x1, x2, x3, x4 and 3 more"):
        find_closed_transcript([life(f"x{number}") for number in range(8)], "y")


def test_an_id_that_fits_several_is_told_with_them() -> None:
    with pytest.raises(InvalidRequest, match="Several closed sessions fit: bb11, bb22"):
        find_closed_transcript(LIVES, "bb")


def test_a_session_without_closed_ones_has_none_to_go_back_to() -> None:
    with pytest.raises(NotFound, match="There is no closed session to go back to"):
        find_closed_transcript(LIVES[:1], "bb")


def test_a_closed_transcript_becomes_current_and_the_current_one_is_closed() -> None:
    session = replace(build_session(started_at=Instant(NOW - 7)), counters=Counters(input_tokens=9, model="m"))
    change = plan_resume_transcript(build_facts(session, leaf="e1"), CLOSED, branch=(), who="ann")
    assert (change.close, change.open) == ("resume", CLOSED.header)
    assert change.session is not None
    assert change.session.session_id == OLD
    assert change.session.lifecycle.started_at == NOW
    assert (change.session.counters.input_tokens, change.session.counters.model) == (0, "m")
    (noted,) = change.decisions
    assert noted.decision.inputs == {"resumed": OLD, "closed": SESSION_ID}


def test_what_was_noted_of_the_life_that_ends_is_not_carried_into_the_one_that_goes_on() -> None:
    session = replace(build_session(), extra={"resetNotice": "idle", "sessionFile": "new.jsonl", "colour": "blue"})
    change = plan_resume_transcript(build_facts(session, leaf="e1"), CLOSED, branch=(), who="ann")
    assert change.session is not None
    assert change.session.extra == {"colour": "blue"}


def test_the_title_of_a_resumed_life_comes_from_its_own_words() -> None:
    left = replace(build_session(), naming=Naming(label="trip", first_words="of the life that ends"))
    change = plan_resume_transcript(build_facts(left, leaf="e1"), CLOSED, branch=(LINE,), who="ann")
    assert change.session is not None
    assert change.session.naming == Naming(label="trip", first_words=build_first_words((LINE,)))
    assert change.session.naming.first_words


def test_a_session_whose_transcript_is_gone_only_opens_the_old_one() -> None:
    facts = replace(build_facts(build_session()), transcript=None)
    assert plan_resume_transcript(facts, CLOSED, branch=(), who="ann").close is None


def test_there_is_nothing_to_resume_without_a_session() -> None:
    with pytest.raises(NotFound):
        plan_resume_transcript(build_facts(), CLOSED, branch=(), who="ann")


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
