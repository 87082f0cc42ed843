"""`session.resetTriggers` (CMD-1)."""

from __future__ import annotations

import pytest

from instar.config.sections.commands import parse_commands
from instar.errors import ConfigError


@pytest.mark.parametrize(
    ("configured", "triggers"),
    [
        (None, ("/new", "/reset")),
        ([], ("/new", "/reset")),
        (["/fresh"], ("/fresh",)),
        (["", " /fresh ", "  "], ("/fresh",)),
        ([" "], ()),
    ],
)
def test_a_list_replaces_the_built_in_triggers_and_an_empty_one_does_not(configured, triggers):
    assert parse_commands({"session": {"resetTriggers": configured}}) == triggers


def test_nothing_configured_keeps_the_built_in_triggers():
    assert parse_commands({}) == ("/new", "/reset")


@pytest.mark.parametrize("value", ["/new", {"/new": True}, [["/new"]]])
def test_anything_but_a_list_of_texts_is_an_error(value):
    with pytest.raises(ConfigError) as caught:
        parse_commands({"session": {"resetTriggers": value}})
    assert caught.value.path.startswith("session.resetTriggers")
