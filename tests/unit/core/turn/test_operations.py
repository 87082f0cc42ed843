"""What operations on a session write: create, reset, inject (RPC-5, RPC-7, RPC-18)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instar.core.model.entry import AssistantMessage, MessageEntry, TextBlock, UserMessage
from instar.core.model.ids import AgentId, EntryId, Instant, SessionId, SessionKey
from instar.core.model.session import Naming, Overrides
from instar.core.turn.operations import Creation, plan_create, plan_inject, plan_manual_reset
from instar.errors import NotFound
from tests.builders.turns import KEY, NOW, SESSION_ID, build_facts, build_session

NEW = SessionId("22222222-2222-4222-8222-222222222222")
CREATION = Creation(
    agent_id=AgentId("main"),
    session_id=NEW,
    label="trip",
    overrides=Overrides(thinking_level="low"),
    parent_key=SessionKey("agent:main:main"),
    owner="ann",
    cwd="/somewhere",
)


def test_a_new_session_has_what_was_asked_for_and_an_empty_transcript() -> None:
    change = plan_create(build_facts(), CREATION, who="ann")
    session = change.session
    assert session is not None
    assert (session.key, session.session_id, session.naming.label, session.owner) == (KEY, NEW, "trip", "ann")
    assert session.overrides.thinking_level == "low"
    assert session.origin.parent_key == "agent:main:main"
    assert session.lifecycle.created_at == session.lifecycle.started_at == NOW
    assert change.open is not None
    assert (change.open.id, change.open.cwd, change.entries) == (NEW, "/somewhere", ())
    assert change.decisions[0].who == "ann"


def test_a_fork_begins_with_its_parents_lines_and_names_the_parent() -> None:
    line = MessageEntry(
        id=EntryId("e1"), parent_id=None, timestamp=NOW, message=UserMessage(content="hi", timestamp=NOW)
    )
    creation = replace(CREATION, parent_session_id=SESSION_ID, forked=(line,))
    change = plan_create(build_facts(), creation, who="ann")
    assert change.entries == (line,)
    assert change.open is not None
    assert change.open.parent_session == SESSION_ID
    assert change.session is not None
    assert change.session.naming.first_words == "hi"


def test_creating_what_is_there_changes_only_what_is_given() -> None:
    old = replace(build_session(), naming=Naming(label="old"), overrides=Overrides(verbose_level="on"))
    kept = plan_create(build_facts(old), replace(CREATION, label=None, overrides=Overrides()), who="x").session
    assert kept is not None
    assert (kept.naming.label, kept.overrides.verbose_level, kept.session_id) == ("old", "on", SESSION_ID)
    changed = plan_create(build_facts(old), CREATION, who="x")
    assert changed.session is not None
    assert (changed.session.naming.label, changed.session.overrides.thinking_level) == ("trip", "low")
    assert changed.session.overrides.verbose_level == "on"
    assert changed.open is None


@pytest.mark.parametrize(("given", "login"), [(Overrides(model_override="m"), None), (Overrides(), "mine")])
def test_what_is_set_for_a_session_outlives_its_creation_anew(given: Overrides, login: str | None) -> None:
    set_before = Overrides(send_policy="deny", model_override="old", auth_profile_override="mine")
    old = replace(build_session(), overrides=set_before)
    changed = plan_create(build_facts(old), replace(CREATION, overrides=given), who="x").session
    assert changed is not None
    assert changed.overrides.send_policy == "deny"
    assert changed.overrides.model_override == (given.model_override or "old")
    assert changed.overrides.auth_profile_override == login


def test_a_manual_reset_closes_the_transcript_and_begins_another() -> None:
    old = replace(build_session(started_at=Instant(NOW - 5)), naming=Naming(first_words="hello", label="l"))
    change = plan_manual_reset(
        build_facts(old, leaf="e1"), session_id=NEW, agent_id=AgentId("main"), reason="new", cwd="", who="ann"
    )
    assert change.close == "new"
    assert change.open is not None
    assert change.open.id == NEW
    assert change.session is not None
    assert (change.session.session_id, change.session.naming.first_words, change.session.naming.label) == (
        NEW,
        None,
        "l",
    )
    (noted,) = change.decisions
    assert (noted.decision.outcome, noted.decision.inputs["closed"], noted.who) == ("new", SESSION_ID, "ann")


def test_resetting_a_place_nobody_has_used_begins_its_first_session() -> None:
    change = plan_manual_reset(
        build_facts(), session_id=NEW, agent_id=AgentId("main"), reason="reset", cwd="", who="ann"
    )
    assert change.close is None
    assert change.session is not None
    assert change.session.session_id == NEW


def test_an_injected_line_hangs_on_the_leaf() -> None:
    facts = build_facts(build_session(), leaf="e7")
    change = plan_inject(facts, "look here", label="note", entry_id=EntryId("e8"), who="ann")
    (entry,) = change.entries
    assert isinstance(entry, MessageEntry)
    assert entry.parent_id == "e7"
    assert isinstance(entry.message, AssistantMessage)
    assert entry.message.content == (TextBlock(text="[note]\n\nlook here"),)
    assert entry.message.stop_reason == "injected"


def test_nothing_can_be_injected_where_there_is_no_session() -> None:
    with pytest.raises(NotFound):
        plan_inject(build_facts(), "x", label=None, entry_id=EntryId("e1"), who="ann")
