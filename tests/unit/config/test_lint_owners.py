"""Names of linked people that are somebody else's session already (WHY-5, LEAK-4)."""

from __future__ import annotations

from pathlib import Path

from instar.config.lint_owners import lint_owners, list_linked_keys
from instar.config.load import parse_text

TEXT = """{agents: {list: [{id: "main"}, {id: "work"}]},
    session: {dmScope: "per-peer",
        identityLinks: {"Ann B": ["telegram:5"], dock: {ids: ["telegram:6"], sharedSession: false}}}}"""


def config():
    return parse_text(TEXT, env={}, home=Path("/house")).config


def test_the_keys_of_linked_people_are_those_of_every_agent():
    assert list_linked_keys(config()) == {"agent:main:direct:ann b": "Ann B", "agent:work:direct:ann b": "Ann B"}


def test_a_session_that_another_began_is_a_finding_with_its_remedy():
    owners = {"agent:main:direct:ann b": "irc:ann b", "agent:work:direct:ann b": "telegram:5"}
    (found,) = lint_owners(config(), owners)
    assert (found.code, found.severity) == ("link-names-anothers-session", "critical")
    assert found.path == 'session.identityLinks["Ann B"]'
    assert "agent:main:direct:ann b, which irc:ann b began" in found.why
    assert "instar sessions delete" in found.fix
    assert list(lint_owners(config(), {})) == []
