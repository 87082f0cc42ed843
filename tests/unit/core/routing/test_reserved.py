"""Keys that nobody may make a session under (KEY-22)."""

from __future__ import annotations

import pytest

from instar.core.model.ids import SessionKey
from instar.core.routing.reserved import check_storable
from instar.errors import InvalidRequest


def test_a_key_that_promises_memory_only_is_refused_with_the_reason():
    with pytest.raises(InvalidRequest) as raised:
        check_storable(SessionKey("agent:main:incognito-x"), field="sessionKey")
    assert "its words would be stored" in str(raised.value)
    assert raised.value.field == "sessionKey"


@pytest.mark.parametrize("key", ["agent:main:main", "agent:main:irc:direct:incognito-bob"])
def test_any_other_key_may_be_stored(key):
    check_storable(SessionKey(key))
