"""Whose is a session, and who may touch it (LEAK-4, LEAK-5)."""

from __future__ import annotations

import pytest

from instar.core.model.caller import Caller
from instar.core.policy.ownership import METHOD_OBJECTS, SessionOwnership, decide_touch
from instar.core.policy.scopes import ADMIN, READ, WRITE
from instar.protocol.methods import METHODS

ANN = Caller(scopes=frozenset({READ, WRITE}), principal="Ann")
HERS = SessionOwnership(owner="ann")
GROUP = SessionOwnership(members=frozenset({"bob", " ANN "}))
SHARED = SessionOwnership()


@pytest.mark.parametrize(
    ("caller", "session", "allowed", "because"),
    [
        (ANN, HERS, True, "owner"),
        (ANN, SessionOwnership(owner="bob"), False, "not theirs"),
        (ANN, GROUP, True, "member"),
        (ANN, SessionOwnership(members=frozenset({"bob"})), False, "not theirs"),
        (ANN, SHARED, False, "not theirs"),
        (Caller(scopes=frozenset({ADMIN}), principal="Ann"), SHARED, True, "admin"),
        (Caller(scopes=frozenset({READ})), SHARED, True, "admin"),
        (Caller(scopes=frozenset({READ}), principal=" "), SessionOwnership(owner=""), False, "not theirs"),
    ],
)
def test_a_person_touches_what_is_theirs_and_the_groups_they_are_in(caller, session, allowed, because):
    touch = decide_touch(caller, session)
    assert (touch.allowed, touch.because, touch.rule) == (allowed, because, "LEAK-4")


def test_every_method_of_the_wire_says_what_it_acts_on():
    assert not [name for name in METHODS if name not in METHOD_OBJECTS], "give them a row in METHOD_OBJECTS"


def test_a_method_that_names_a_session_acts_on_one():
    named = {
        name
        for name, method in METHODS.items()
        if any(field.name in {"key", "sessionKey", "keys"} and field.required for field in method.fields)
    }
    assert {name for name in named if METHOD_OBJECTS[name] != "session"} == set()


def test_what_acts_on_the_gateway_as_a_whole_needs_its_admin():
    found = {name for name, method in METHODS.items() if METHOD_OBJECTS[name] == "gateway" and method.scope != ADMIN}
    assert found <= {"logs.tail"}
