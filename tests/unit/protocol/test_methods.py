"""What holds for every method of the wire (GW-13)."""

from __future__ import annotations

import pytest

from instar.core.policy.scopes import READ
from instar.protocol.methods import METHODS

LOOKS = frozenset(
    {
        "agent.wait",
        "config.get",
        "config.schema",
        "device.pair.list",
        "outbox.list",
        "pairing.list",
        "people.list",
        "security.audit",
        "sessions.route",
        "sessions.simulate",
        "tokens.list",
    }
)
"""Methods that ask for more than the right to read, and change nothing all the same."""

MAKES = frozenset({"dashboard.link"})
"""Methods that ask for the right to read only, and make something."""


def takes_a_key(name: str) -> bool:
    return "idempotencyKey" in {field.name for field in METHODS[name].fields}


@pytest.mark.parametrize("name", METHODS)
def test_a_method_takes_an_idempotency_key_exactly_where_it_changes_something(name):
    changes = name in MAKES or (METHODS[name].scope != READ and name not in LOOKS)
    assert (METHODS[name].side_effect, takes_a_key(name)) == (changes, changes)


def test_the_exceptions_are_methods():
    assert set(METHODS) >= LOOKS | MAKES
