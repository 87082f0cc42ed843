"""What a patch changes, and why it may not (PATCH-1…16)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.model.fields import SESSION_FIELDS, format_session
from instar.core.model.ids import AgentId, Instant, SessionId, SessionKey
from instar.core.model.session import Lifecycle, Origin, Overrides, Session
from instar.core.policy.model_choice import ModelNames
from instar.core.policy.patch import (
    Patch,
    PatchRefusal,
    apply_patch,
    clamp_thinking,
    decide_patch,
)
from instar.core.policy.patch_fields import FIELD_READERS, PatchFacts, parse_label

NOW = Instant(5_000)
KEY = SessionKey("agent:main:telegram:direct:1")
CHILD = SessionKey("agent:main:subagent:u")
MODELS = ModelNames(
    allowed=("anthropic/opus", "openai/gpt", "openai/thinker"),
    aliases={"big": "anthropic/opus"},
    default="anthropic/opus",
)


def session(key=KEY, **fields):
    return Session(key=key, agent_id=AgentId("main"), session_id=SessionId("s"), **fields)


def facts(**fields):
    return PatchFacts(**({"key": KEY, "now": NOW, "models": MODELS, "is_admin": True} | fields))


def changed(patch, **given):
    decided = decide_patch(patch, facts(**given))
    assert isinstance(decided, Patch), decided
    return dict(decided.fields)


def refused(patch, **given):
    decided = decide_patch(patch, facts(**given))
    assert isinstance(decided, PatchRefusal), decided
    return decided


NO_MODEL = dict.fromkeys(["providerOverride", "modelOverride", "authProfileOverride", "authProfileOverrideSource"])


# --- each field -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patch", "fields"),
    [
        ({}, {}),
        ({"key": "anything"}, {}),
        ({"label": "  My label "}, {"label": "My label"}),
        ({"label": None}, {"label": None}),
        ({"model": "openai/gpt"}, NO_MODEL | {"providerOverride": "openai", "modelOverride": "gpt"}),
        ({"model": " GPT "}, NO_MODEL | {"providerOverride": "openai", "modelOverride": "gpt"}),
        ({"model": "big"}, NO_MODEL),
        ({"model": None}, NO_MODEL),
        ({"thinkingLevel": "HIGH"}, {"thinkingLevel": "high"}),
        ({"thinkingLevel": "off"}, {"thinkingLevel": "off"}),
        ({"thinkingLevel": "on"}, {"thinkingLevel": "low"}),
        ({"thinkingLevel": "ultra"}, {"thinkingLevel": "high"}),
        ({"thinkingLevel": "stream"}, {"thinkingLevel": "low", "reasoningLevel": "stream"}),
        ({"reasoningLevel": "on", "thinkingLevel": "stream"}, {"thinkingLevel": "low", "reasoningLevel": "on"}),
        ({"thinkingLevel": None}, {"thinkingLevel": None}),
        ({"reasoningLevel": "stream"}, {"reasoningLevel": "stream"}),
        ({"reasoningLevel": "off"}, {"reasoningLevel": None}),
        ({"verboseLevel": "off"}, {"verboseLevel": "off"}),
        ({"verboseLevel": "full"}, {"verboseLevel": "full"}),
        ({"elevatedLevel": "ask"}, {"elevatedLevel": "ask"}),
        ({"elevatedLevel": "off"}, {"elevatedLevel": "off"}),
        ({"responseUsage": "on"}, {"responseUsage": "tokens"}),
        ({"responseUsage": "off"}, {"responseUsage": None}),
        ({"execHost": " Sandbox "}, {"execHost": "sandbox"}),
        ({"execSecurity": "allowlist"}, {"execSecurity": "allowlist"}),
        ({"execAsk": "on-miss"}, {"execAsk": "on-miss"}),
        ({"execAsk": None}, {"execAsk": None}),
        ({"execNode": " box "}, {"execNode": "box"}),
        ({"execNode": None}, {"execNode": None}),
        ({"sandboxMode": True}, {"sandboxMode": True}),
        ({"sandboxMode": False}, {"sandboxMode": False}),
        ({"sandboxMode": None}, {"sandboxMode": None}),
        ({"queueMode": "fifo"}, {"queueMode": "followup"}),
        ({"queueDebounceMs": 0}, {"queueDebounceMs": 0}),
        ({"queueDebounceMs": None}, {"queueDebounceMs": None}),
        ({"queueCap": 5.0}, {"queueCap": 5}),
        ({"queueDrop": "new"}, {"queueDrop": "new"}),
        ({"activationMode": "command"}, {"groupActivation": "command"}),
        ({"groupActivation": None}, {"groupActivation": None}),
        ({"activationMode": "always", "groupActivation": "ALWAYS"}, {"groupActivation": "always"}),
        ({"sendPolicy": "deny"}, {"sendPolicy": "deny"}),
        ({"archived": True}, {"archivedAt": NOW, "pinnedAt": None}),
        ({"archived": False}, {"archivedAt": None}),
        ({"archived": None}, {"archivedAt": None}),
        ({"pinned": True}, {"pinnedAt": NOW}),
        ({"pinned": False}, {"pinnedAt": None}),
        ({"unread": True}, {"markedUnreadAt": NOW}),
        ({"unread": False}, {"markedUnreadAt": None, "lastReadAt": NOW}),
    ],
    ids=str,
)
def test_a_field_is_stored_in_its_one_spelling(patch, fields):
    assert changed(patch) == fields


@pytest.mark.parametrize(
    ("patch", "rule"),
    [
        ({"colour": "red"}, "PATCH-2"),
        ({"label": "  "}, "PATCH-4"),
        ({"label": "x" * 65}, "PATCH-4"),
        ({"label": 7}, "PATCH-4"),
        ({"model": "unknown"}, "PATCH-5"),
        ({"model": ""}, "PATCH-5"),
        ({"model": 7}, "PATCH-5"),
        ({"thinkingLevel": "banana"}, "PATCH-6"),
        ({"thinkingLevel": True}, "PATCH-6"),
        ({"thinkingLevel": "xhigh"}, "PATCH-6"),
        ({"reasoningLevel": "loud"}, "PATCH-7"),
        ({"verboseLevel": 1}, "PATCH-7"),
        ({"elevatedLevel": "stream"}, "PATCH-7"),
        ({"responseUsage": "all"}, "PATCH-7"),
        ({"execHost": "moon"}, "PATCH-8"),
        ({"execNode": " "}, "PATCH-8"),
        ({"sandboxMode": "yes"}, "PATCH-9"),
        ({"queueMode": "parallel"}, "PATCH-10"),
        ({"queueDebounceMs": -1}, "PATCH-10"),
        ({"queueDebounceMs": "500"}, "PATCH-10"),
        ({"queueDebounceMs": True}, "PATCH-10"),
        ({"queueDebounceMs": 1e300}, "PATCH-10"),
        ({"queueCap": 2**53}, "PATCH-10"),
        ({"queueCap": 0}, "PATCH-10"),
        ({"queueCap": 1.5}, "PATCH-10"),
        ({"queueDrop": "oldest"}, "PATCH-10"),
        ({"activationMode": "never"}, "PATCH-11"),
        ({"activationMode": "always", "groupActivation": "mention"}, "PATCH-11"),
        ({"sendPolicy": "inherit"}, "PATCH-12"),
        ({"spawnedBy": "agent:main:main"}, "PATCH-13"),
        ({"spawnDepth": 1}, "PATCH-13"),
        ({"archived": "yes"}, "PATCH-14"),
        ({"pinned": 1}, "PATCH-14"),
        ({"unread": "no"}, "PATCH-14"),
        ({"archived": True, "pinned": True}, "PATCH-14"),
    ],
    ids=str,
)
def test_a_field_that_cannot_be_used_refuses_the_patch(patch, rule):
    refusal = refused(patch)
    assert (refusal.code, refusal.rule) == ("INVALID_REQUEST", rule)
    assert refusal.field in {*patch, "groupActivation"}
    assert refusal.why


# --- over the session -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["reasoningLevel", "responseUsage"])
def test_off_is_stored_where_something_else_would_hold_without_it(name):
    assert changed({name: "off"}, levels_below={name: "on"}) == {name: "off"}
    assert changed({name: "off"}, levels_below={name: "off"}) == {name: None}
    assert changed({name: None}, levels_below={name: "on"}) == {name: None}


def test_a_label_belongs_to_one_session():
    assert "agent:main:x" in refused({"label": "mine"}, label_holder=SessionKey("agent:main:x")).why
    assert changed({"label": "mine"}, label_holder=KEY) == {"label": "mine"}


def test_without_a_catalogue_no_model_can_be_chosen_but_the_choice_can_be_taken_back():
    assert refused({"model": "gpt"}, models=None).code == "UNAVAILABLE"
    assert changed({"model": None}, models=None) == NO_MODEL


def test_running_tools_on_the_host_needs_an_admin():
    refusal = refused({"sandboxMode": False}, is_admin=False)
    assert (refusal.code, refusal.rule) == ("FORBIDDEN", "PATCH-9")
    assert changed({"sandboxMode": True}, is_admin=False) == {"sandboxMode": True}


XHIGH = frozenset({"openai/thinker"})


def test_the_highest_level_needs_a_model_that_knows_it():
    chosen = session(overrides=Overrides(provider_override="openai", model_override="thinker"))
    assert changed({"thinkingLevel": "xhigh"}, session=chosen, xhigh_models=XHIGH) == {"thinkingLevel": "xhigh"}
    both = changed({"thinkingLevel": "xhigh", "model": "thinker"}, xhigh_models=XHIGH)
    assert (both["thinkingLevel"], both["modelOverride"]) == ("xhigh", "thinker")
    refused({"thinkingLevel": "xhigh", "model": "gpt"}, session=chosen, xhigh_models=XHIGH)
    assert changed({"thinkingLevel": "xhigh"}, xhigh_models=frozenset({"anthropic/opus"}))
    refused({"thinkingLevel": "xhigh"}, models=None, xhigh_models=XHIGH)


def test_another_model_lowers_a_level_it_does_not_know():
    chosen = session(overrides=Overrides(provider_override="openai", model_override="thinker", thinking_level="xhigh"))
    assert changed({"model": "gpt"}, session=chosen, xhigh_models=XHIGH)["thinkingLevel"] == "high"
    assert "thinkingLevel" not in changed({"model": "thinker"}, session=chosen, xhigh_models=XHIGH)
    assert changed({"model": None, "thinkingLevel": "low"}, session=chosen)["thinkingLevel"] == "low"
    assert "thinkingLevel" not in changed({"model": "gpt"}, session=session(overrides=Overrides()))


@pytest.mark.parametrize(
    ("level", "supports", "clamped"),
    [("xhigh", True, "xhigh"), ("xhigh", False, "high"), ("low", False, "low"), (None, False, None)],
)
def test_a_level_is_lowered_to_what_a_model_knows(level, supports, clamped):
    assert clamp_thinking(level, supports_xhigh=supports) == clamped


def test_a_sub_agent_says_once_who_spawned_it():
    parent = "agent:main:main"
    assert changed({"spawnedBy": f" {parent} ", "spawnDepth": 1.0}, key=CHILD) == {"spawnedBy": parent, "spawnDepth": 1}
    spawned = session(CHILD, origin=Origin(spawned_by=SessionKey(parent), spawn_depth=1))
    assert changed({"spawnedBy": parent, "spawnDepth": 1}, key=CHILD, session=spawned)
    for patch in ({"spawnedBy": "agent:main:x"}, {"spawnedBy": None}, {"spawnDepth": 2}, {"spawnDepth": None}):
        assert refused(patch, key=CHILD, session=spawned).rule == "PATCH-13"
    for patch in ({"spawnedBy": ""}, {"spawnedBy": 7}, {"spawnDepth": -1}, {"spawnDepth": "1"}):
        assert refused(patch, key=CHILD).rule == "PATCH-13"
    assert changed({"spawnedBy": None, "spawnDepth": None}, key=CHILD) == {"spawnedBy": None, "spawnDepth": None}


@pytest.mark.parametrize("key", ["agent:main:main", "agent:main:home", "global"])
def test_the_main_session_cannot_be_archived(key):
    refusal = refused({"archived": True}, key=SessionKey(key), main_key="home")
    assert (refusal.field, refusal.rule) == ("archived", "PATCH-14")


def test_what_is_archived_or_pinned_keeps_its_stamp():
    known = session(lifecycle=Lifecycle(archived_at=Instant(0), pinned_at=Instant(7)))
    assert changed({"archived": True}, session=known)["archivedAt"] == 0
    assert changed({"pinned": True}, session=known)["pinnedAt"] == 7


# --- applying ---------------------------------------------------------------------------------------------------------


def test_a_patch_reaches_every_group_and_counts_as_no_interaction():
    before = session(
        lifecycle=Lifecycle(last_interaction_at=Instant(1), updated_at=Instant(2)),
        overrides=Overrides(queue_mode="collect", queue_cap=3),
    )
    decided = decide_patch({"label": "L", "queueMode": "fifo", "queueCap": None, "pinned": True}, facts())
    after = apply_patch(before, decided, now=NOW)
    assert after.naming.label == "L"
    assert (after.overrides.queue_mode, after.overrides.queue_cap) == ("followup", None)
    assert (after.lifecycle.pinned_at, after.lifecycle.updated_at, after.lifecycle.last_interaction_at) == (NOW, NOW, 1)
    assert apply_patch(after, decided, now=NOW) == after


def test_the_time_of_change_never_goes_back():
    before = session(lifecycle=Lifecycle(updated_at=Instant(9_000)))
    assert apply_patch(before, Patch(fields={}), now=NOW).lifecycle.updated_at == 9_000
    assert apply_patch(session(), Patch(fields={}), now=NOW).lifecycle.updated_at == NOW


VALUES = st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from(["on", "off", "high", "deny", "gpt", "old"])


@given(st.dictionaries(st.sampled_from([*FIELD_READERS, "colour"]), VALUES, max_size=4))
def test_a_patch_is_taken_whole_or_refused_and_what_is_taken_is_what_the_entry_shows(patch):
    decided = decide_patch(patch, facts())
    if isinstance(decided, PatchRefusal):
        return
    assert set(decided.fields) <= set(SESSION_FIELDS)
    entry = format_session(apply_patch(session(), decided, now=NOW))
    for name, value in decided.fields.items():
        assert entry.get(name) == value


@pytest.mark.parametrize("value", [None, 5, "", " ", "x" * 65])
def test_what_is_no_label_is_none(value):
    assert parse_label(value) is None


def test_a_patch_is_recorded():
    record = decide_patch({"queueMode": "fifo", "label": None}, facts()).as_decision()
    assert (record.kind, record.outcome, record.inputs) == (
        "patch",
        "changed",
        {"queueMode": "followup", "label": None},
    )
    strange = replace(Patch(fields={}), fields={"x": object()})
    assert strange.as_decision().inputs == {"x": None}
