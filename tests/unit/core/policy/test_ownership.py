"""Whose is a session, and who may touch it (LEAK-4, LEAK-5)."""

from __future__ import annotations

import pytest

from instar.core.model.caller import Caller
from instar.core.policy.ownership import (
    EVENT_OBJECTS,
    METHOD_OBJECTS,
    SessionOwnership,
    decide_hearing,
    decide_touch,
    is_begun_by_another,
    resolve_ownership,
)
from instar.core.policy.scopes import ADMIN, READ, WRITE
from instar.core.routing.identity import IdentityGroup, build_links
from instar.protocol.events import EVENTS
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
    assert METHOD_OBJECTS.keys() - METHODS.keys() == {"connect"}, "these are no methods"


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


def test_a_linked_id_counts_as_its_person():
    session = SessionOwnership(owner="telegram:42")
    assert not decide_touch(ANN, session).allowed
    assert decide_touch(ANN, session, names=frozenset({"ann", "Telegram:42"})).because == "owner"


LINKS = build_links((IdentityGroup(name="ann", ids=("telegram:42",)),), known_channels=frozenset({"telegram"}))
STORED = SessionOwnership(owner="bob", members=frozenset({"telegram:42"}))


@pytest.mark.parametrize(
    ("key", "ownership"),
    [
        pytest.param("agent:main:main", SessionOwnership(), id="main is nobody's, whoever is in its row"),
        pytest.param("agent:main:cron:x", SessionOwnership(), id="a job is nobody's"),
        pytest.param(
            "agent:main:telegram:group:g", SessionOwnership(members=STORED.members), id="a group has people, no owner"
        ),
        pytest.param("agent:main:telegram:direct:42", SessionOwnership(owner="telegram:42"), id="a chat is its peer's"),
        pytest.param("agent:main:direct:ann", SessionOwnership(owner="bob"), id="a name's is whose the row says"),
        pytest.param("agent:main:direct:7", SessionOwnership(owner="bob"), id="an id alone is whose the row says"),
        pytest.param("agent:main:dashboard:1", SessionOwnership(owner="bob"), id="a thread is its opener's"),
    ],
)
def test_whose_a_session_is_stands_in_its_key_before_its_row(key, ownership):
    assert resolve_ownership(key, STORED, LINKS) == ownership


def test_a_linked_persons_session_is_theirs_before_it_is_there():
    assert resolve_ownership("agent:main:direct:ann", SessionOwnership(), LINKS) == SessionOwnership(owner="ann")


@pytest.mark.parametrize(
    ("key", "began", "owner", "another"),
    [
        pytest.param("agent:main:direct:ann", "telegram:ann", "ann", True, id="a link is named like a stranger's id"),
        pytest.param("agent:main:direct:ann", "ann", "telegram:ann", True, id="a link is gone"),
        pytest.param("agent:main:direct:ann:thread:5", "telegram:ann", "ann", True, id="in a thread, too"),
        pytest.param("agent:main:direct:ann", "telegram:42", "ann", False, id="it was one of their ids"),
        pytest.param("agent:main:direct:ann", "ann", "ann", False, id="it is theirs"),
        pytest.param("agent:main:direct:ann", None, "ann", False, id="it has no owner"),
        pytest.param("agent:main:direct:ann", "ann", None, False, id="nobody asks for it"),
        pytest.param("agent:main:direct:9", "irc:9", "telegram:9", False, id="one id on two channels"),
        pytest.param("agent:main:direct:9", "someone", "telegram:9", False, id="a link that was for docking is gone"),
        pytest.param("agent:main:telegram:direct:9", "someone", "telegram:9", False, id="the key names the channel"),
        pytest.param("agent:main:main", "ann", "telegram:9", False, id="main is nobody's"),
    ],
)
def test_what_one_person_began_another_does_not_enter(key, began, owner, another):
    assert is_begun_by_another(key, began=began, owner=owner, links=LINKS) is another


def test_every_event_of_the_wire_says_what_it_is_about():
    assert EVENT_OBJECTS.keys() == EVENTS.keys()


DRAWN = "agent:main:dashboard:incognito-1"


@pytest.mark.parametrize(
    ("event", "session", "owners", "persons"),
    [
        ("tick", None, "yes", "yes"),
        ("chat", "agent:main:main", "yes", "ask"),
        ("chat", DRAWN, "ask", "ask"),
        ("chat", None, "yes", "no"),
        ("an event without a row", "agent:main:main", "yes", "no"),
        ("an event without a row", DRAWN, "no", "no"),
    ],
)
def test_a_client_hears_of_what_may_be_theirs_and_an_admin_of_all(event, session, owners, persons):
    assert decide_hearing(Caller(scopes=frozenset({READ})), event, session) == owners
    assert decide_hearing(ANN, event, session) == persons
    assert decide_hearing(Caller(scopes=frozenset({ADMIN})), event, session) == "yes"


@pytest.mark.parametrize(
    ("caller", "began_with", "because"),
    [
        pytest.param(Caller(scopes=frozenset({ADMIN})), "another", "admin", id="an admin"),
        pytest.param(Caller(scopes=frozenset({WRITE}), token_id="t"), "t", "owner", id="the token that began it"),
        pytest.param(Caller(scopes=frozenset({WRITE})), "", "owner", id="the gateway's own secret, narrowed"),
        pytest.param(Caller(scopes=frozenset({WRITE}), token_id="t"), "u", "not theirs", id="another token"),
        pytest.param(Caller(scopes=frozenset({WRITE})), "t", "not theirs", id="the secret, of a token's"),
        pytest.param(Caller(scopes=frozenset({WRITE})), None, "not theirs", id="begun by no client"),
        pytest.param(Caller(principal="bob", token_id="t"), "t", "not theirs", id="a person is known by their name"),
        pytest.param(Caller(principal="ann", token_id="u"), "t", "owner", id="the person whose it is"),
    ],
)
def test_an_incognito_session_is_seen_by_who_began_it_and_by_admins(caller, began_with, because):
    stored = SessionOwnership(owner="ann", members=frozenset({"bob"}), began_with=began_with)
    touch = decide_touch(caller, resolve_ownership(DRAWN, stored, LINKS))
    assert (touch.because, touch.allowed) == (because, because != "not theirs")
