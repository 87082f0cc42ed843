"""Who answers instead of whom is told with the first answer, and not again while it stays so (CFG-13)."""

from __future__ import annotations

from dataclasses import replace

from instar.core.lifecycle.reset import STAND_IN_EVENT_FIELD, STAND_IN_FIELD
from instar.core.model.change import SessionChange
from instar.core.turn.ends import build_error_message
from instar.core.turn.standin import build_stand_in_event, build_stand_in_line, describe_stand_in, with_stand_in
from tests.builders.turns import NOW, build_session

NOTES = ("b answers instead of a: full.",)
OTHER = ("c answers instead of a: full.",)
TOLD = replace(build_session(), extra={STAND_IN_FIELD: NOTES[0], "theirs": 1})
BY_EVENT = replace(build_session(), extra={STAND_IN_FIELD: OTHER[0], STAND_IN_EVENT_FIELD: NOTES[0]})


def test_the_line_is_said_while_it_is_new():
    assert build_stand_in_line(build_session(), NOTES) == "(b answers instead of a: full.)"
    assert build_stand_in_line(TOLD, NOTES) is None
    assert build_stand_in_line(TOLD, OTHER) is not None
    assert build_stand_in_line(TOLD, ()) is None


def test_clients_hear_of_what_a_chat_is_told_and_a_chat_not_of_what_clients_are_told():
    assert build_stand_in_event(build_session(), NOTES) == "(b answers instead of a: full.)"
    assert build_stand_in_event(TOLD, NOTES) is None
    assert build_stand_in_event(BY_EVENT, NOTES) is None
    assert build_stand_in_event(BY_EVENT, OTHER) is not None
    assert build_stand_in_event(BY_EVENT, ()) is None
    assert build_stand_in_line(BY_EVENT, NOTES) is not None
    assert build_stand_in_line(BY_EVENT, OTHER) is None


def test_the_row_remembers_what_was_told():
    change = SessionChange(session=build_session())
    assert with_stand_in(change, NOTES, was_told=True).session.extra == {STAND_IN_FIELD: NOTES[0]}
    assert with_stand_in(change, NOTES, was_told=False) is change
    assert with_stand_in(SessionChange(), NOTES, was_told=True) == SessionChange()


def test_the_row_remembers_apart_what_only_clients_were_told():
    def after(session, notes, *, was_told):
        return with_stand_in(SessionChange(session=session), notes, was_told=was_told, by_event=True).session.extra

    assert after(build_session(), NOTES, was_told=False) == {STAND_IN_EVENT_FIELD: NOTES[0]}
    assert after(TOLD, OTHER, was_told=False) == {**TOLD.extra, STAND_IN_EVENT_FIELD: OTHER[0]}
    assert after(TOLD, NOTES, was_told=False) == TOLD.extra
    assert after(BY_EVENT, OTHER, was_told=False) == {STAND_IN_FIELD: OTHER[0]}
    assert after(BY_EVENT, NOTES, was_told=True) == {STAND_IN_FIELD: NOTES[0]}


def test_the_row_forgets_once_the_model_answers_again():
    assert with_stand_in(SessionChange(session=TOLD), (), was_told=False).session.extra == {"theirs": 1}
    assert with_stand_in(SessionChange(session=BY_EVENT), (), was_told=True).session.extra == {}


def test_the_record_names_both_models_and_why():
    message = replace(build_error_message("", partial="Hello.", now=NOW), provider="p", model="b")
    assert describe_stand_in(message, asked="p/a", notes=()) is None
    decision = describe_stand_in(message, asked="p/a", notes=NOTES)
    assert decision.inputs == {"asked": "p/a", "model": "p/b", "why": NOTES[0]}
