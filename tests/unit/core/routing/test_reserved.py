"""Keys of sessions that live in memory only (KEY-22)."""

from __future__ import annotations

import pytest

from instar.core.model.ids import AgentId, SessionId, SessionKey
from instar.core.routing.grammar import is_incognito_key
from instar.core.routing.reserved import (
    build_incognito_key,
    check_begun,
    check_parent,
    check_storable,
    hide_incognito_id,
)
from instar.errors import InvalidRequest
from tests.builders.store import build_session

KEY = SessionKey("agent:main:dashboard:incognito-1b9d")
PLAIN = SessionKey("agent:main:main")


def test_a_drawn_key_says_that_it_is_of_memory_and_whose_agent_it_is():
    key = build_incognito_key(AgentId("work"), SessionId("1B9D"))
    assert key == "agent:work:dashboard:incognito-1b9d"
    assert is_incognito_key(key)


@pytest.mark.parametrize("agent", ["main", "incognito-x"])
def test_the_ledger_is_told_the_agent_and_not_the_session(agent):
    key = build_incognito_key(AgentId(agent), SessionId("1b9d"))
    assert hide_incognito_id(key) == f"agent:{agent}:dashboard:incognito-"


def test_a_session_of_a_former_life_is_told_to_be_gone_and_what_to_do():
    with pytest.raises(InvalidRequest) as raised:
        check_begun(KEY, None, field="sessionKey")
    assert "ends with it" in str(raised.value)
    assert "incognito: true" in str(raised.value)
    assert raised.value.field == "sessionKey"


@pytest.mark.parametrize(("key", "session"), [(KEY, build_session(KEY)), (PLAIN, None)])
def test_one_that_has_begun_goes_on_and_any_other_key_may_begin(key, session):
    check_begun(key, session)


def test_no_file_is_brought_into_memory():
    with pytest.raises(InvalidRequest, match="Nothing is brought into an incognito session"):
        check_storable(KEY)
    check_storable(SessionKey("agent:main:irc:direct:incognito-bob"))


def test_nothing_stored_comes_out_of_memory():
    with pytest.raises(InvalidRequest, match="can have no session below it that is stored"):
        check_parent(PLAIN, KEY)


@pytest.mark.parametrize(("key", "parent"), [(PLAIN, None), (PLAIN, PLAIN), (KEY, PLAIN), (KEY, KEY)])
def test_memory_may_come_out_of_anything(key, parent):
    check_parent(key, parent)
