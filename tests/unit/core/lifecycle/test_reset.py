"""Which policy holds for a session, and what a reset keeps of it."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from instar.core.lifecycle.reset import (
    NOTICE_FIELD,
    ResetPolicy,
    ResetRule,
    ResetSettings,
    apply_reset,
    apply_soft_reset,
    resolve_reset_policy,
    resolve_reset_type,
    resolve_session_type,
)
from instar.core.model.message import Chat
from instar.core.model.session import Counters, Delivery, Lifecycle, Naming, Origin, Overrides, Session
from tests.builders.turns import build_item

NOW = 1_800_000_000_000


def resolve(settings=None, reset_type="direct", channel=None, **kwargs):
    return resolve_reset_policy(settings or ResetSettings(**kwargs), reset_type, channel)


# ---------------------------------------------------------------- policy


def test_nothing_configured_means_daily_at_four():
    assert resolve() == ResetPolicy(mode="daily", at_hour=4, at_minute=0, idle_s=None, explicit=False)


def test_each_field_comes_from_the_first_object_that_names_it():
    settings = ResetSettings(
        by_type={"group": ResetRule(idle_s=600)},
        base=ResetRule(mode="daily", at_hour=5),
        flat=ResetRule(at_hour=6, at_minute=30),
    )
    policy = resolve(settings, "group")
    assert (policy.mode, policy.at_hour, policy.at_minute, policy.idle_s) == ("daily", 5, 30, 600)
    assert resolve(settings, "direct").idle_s is None


def test_the_object_of_a_channel_inherits_nothing():
    settings = ResetSettings(
        by_channel={"slack": ResetRule(idle_s=1800)},
        by_type={"direct": ResetRule(at_hour=9)},
        base=ResetRule(mode="none"),
    )
    policy = resolve(settings, channel="slack")
    assert (policy.mode, policy.at_hour, policy.idle_s) == ("daily", 4, 1800)
    assert resolve(settings, channel="telegram").mode == "none"


def test_an_empty_object_of_a_channel_replaces_everything_too():
    settings = ResetSettings(by_channel={"slack": ResetRule()}, flat=ResetRule(idle_s=60))
    assert resolve(settings, channel="slack") == ResetPolicy(explicit=True)


def test_an_old_install_with_nothing_but_an_idle_time_is_idle_only():
    assert resolve(flat=ResetRule(idle_s=2700)) == ResetPolicy(mode="idle", idle_s=2700, explicit=True)


@pytest.mark.parametrize(
    "more",
    [
        {"base": ResetRule()},
        {"by_type": {}},
        {"by_type": {"thread": ResetRule(at_hour=3)}},
    ],
    ids=["reset", "empty-by-type", "other-type"],
)
def test_an_idle_time_beside_newer_settings_leaves_the_daily_reset(more):
    policy = resolve(flat=ResetRule(idle_s=2700), **more)
    assert (policy.mode, policy.idle_s) == ("daily", 2700)


def test_a_flat_reset_time_makes_it_daily_with_an_idle_test():
    policy = resolve(flat=ResetRule(mode="daily", at_hour=4, at_minute=0, idle_s=3600))
    assert (policy.mode, policy.idle_s) == ("daily", 3600)


@pytest.mark.parametrize(
    ("mode", "configured", "expected"),
    [
        ("idle", None, 3600),
        ("idle", 0, None),
        ("idle", 90, 90),
        ("daily", None, None),
        ("daily", 0, None),
        ("daily", 90, 90),
        ("none", 90, None),
        ("none", None, None),
    ],
)
def test_the_idle_window_depends_on_the_mode(mode, configured, expected):
    assert resolve(base=ResetRule(mode=mode, idle_s=configured)).idle_s == expected


def test_an_idle_test_can_be_switched_off_for_one_type():
    policy = resolve(by_type={"direct": ResetRule(idle_s=0)}, base=ResetRule(mode="daily", idle_s=60))
    assert policy.idle_s is None


def test_quiet_time_and_notice_reach_through_the_object_of_a_channel():
    settings = ResetSettings(
        by_channel={"slack": ResetRule(at_hour=0), "irc": ResetRule(notify=True, quiet_s=0)},
        base=ResetRule(notify=False, quiet_s=600),
    )
    slack, irc = resolve(settings, channel="slack"), resolve(settings, channel="irc")
    assert (slack.notify, slack.quiet_s) == (False, 600)
    assert (irc.notify, irc.quiet_s) == (True, 0)


def test_a_policy_is_explicit_when_any_object_spoke():
    assert not resolve(by_type={"group": ResetRule(at_hour=3)}).explicit
    assert resolve(base=ResetRule()).explicit


# ---------------------------------------------------------------- type


@pytest.mark.parametrize(
    ("key", "flags", "expected"),
    [
        ("agent:main:main", {}, "direct"),
        ("agent:main:telegram:direct:5", {}, "direct"),
        ("agent:main:telegram:group:-1", {}, "group"),
        ("agent:main:slack:room:c1", {}, "group"),
        ("agent:main:slack:channel:c1", {}, "group"),
        ("agent:main:telegram:group:-1:topic:3", {}, "thread"),
        ("agent:main:main:thread:7", {}, "thread"),
        ("agent:main:main", {"is_group": True}, "group"),
        ("agent:main:main", {"is_group": True, "is_thread": True}, "thread"),
        ("agent:main:cron:daily", {}, "direct"),
    ],
)
def test_the_type_comes_from_the_key_or_from_what_the_channel_said(key, flags, expected):
    assert resolve_reset_type(key, **flags) == expected


@pytest.mark.parametrize(
    ("chat", "origin", "expected"),
    [
        (Chat(type="direct", id="5"), Origin(chat_type="group", thread_id="7"), "direct"),
        (Chat(type="group", id="-1"), None, "group"),
        (Chat(type="channel", id="-1", thread_id="7"), None, "thread"),
        (Chat(type="room", id="7", parent_id="-1"), None, "thread"),
        (Chat(type="room", id="-1", parent_id="-1"), None, "group"),
        (Chat(type="direct", id="5"), Origin(parent_key="agent:main:main"), "thread"),
        (None, None, "direct"),
        (None, Origin(chat_type="direct"), "direct"),
        (None, Origin(chat_type="group"), "group"),
        (None, Origin(chat_type="group", thread_id="7"), "thread"),
    ],
)
def test_the_type_of_a_session_is_that_of_the_message_or_else_of_its_row(chat, origin, expected):
    session = Session(key="agent:main:main", agent_id="main", session_id="s", origin=origin) if origin else None
    submission = None
    if chat is not None:
        submission = build_item().submission
        submission = replace(submission, session_key=None, inbound=replace(submission.inbound, chat=chat))
    assert resolve_session_type("agent:main:main", session, submission) == expected


def test_a_message_that_names_its_session_says_nothing_of_its_place():
    submission = replace(build_item().submission, session_key="agent:main:main")
    session = Session(key="agent:main:main", agent_id="main", session_id="s", origin=Origin(chat_type="group"))
    assert resolve_session_type("agent:main:main", session, submission) == "group"


# ---------------------------------------------------------------- reset

FULL = Session(
    key="agent:main:telegram:direct:5",
    agent_id="main",
    session_id="old",
    owner="telegram:5",
    lifecycle=Lifecycle(
        started_at=1, last_interaction_at=2, updated_at=3, last_read_at=4, pinned_at=5, created_at=6, revision=7
    ),
    naming=Naming(label="l", display_name="d", subject="s", group_channel="g", space="p", first_words="f"),
    origin=Origin(chat_type="direct", channel="telegram", spawned_by="agent:main:main", spawn_depth=1),
    delivery=Delivery(channel="discord", to="9", account_id="default", thread_id="t", docked=True),
    overrides=Overrides(
        thinking_level="high",
        verbose_level="on",
        reasoning_level="stream",
        elevated_level="full",
        response_usage="tokens",
        tts_auto="always",
        exec_host="gateway",
        exec_security="full",
        exec_ask="off",
        exec_node="n",
        send_policy="deny",
        group_activation="always",
        group_activation_needs_system_intro=True,
        queue_mode="collect",
        queue_debounce_ms=1,
        queue_cap=2,
        queue_drop="old",
        sandbox_mode=False,
        provider_override="anthropic",
        model_override="claude",
        auth_profile_override="work",
        auth_profile_override_source="user",
    ),
    counters=Counters(
        input_tokens=1,
        output_tokens=2,
        total_tokens=3,
        context_tokens=4,
        compaction_count=5,
        memory_flush_at=6,
        memory_flush_compaction_count=5,
        system_sent=True,
        aborted_last_run=True,
        model_provider="anthropic",
        model="claude",
    ),
    extra={"colour": "blue", "cliSessionIds": {"x": "1"}, "sessionFile": "old.jsonl", "skillsSnapshot": {}},
)

KEPT = {
    "thinking_level",
    "verbose_level",
    "reasoning_level",
    "response_usage",
    "send_policy",
    "group_activation",
    "queue_mode",
    "queue_debounce_ms",
    "queue_cap",
    "queue_drop",
    "provider_override",
    "model_override",
    "auth_profile_override",
    "auth_profile_override_source",
}


def test_a_reset_begins_a_new_life_now():
    life = apply_reset(FULL, session_id="new", now=NOW)
    assert life.session_id == "new"
    assert life.lifecycle.started_at == life.lifecycle.last_interaction_at == life.lifecycle.updated_at == NOW
    assert life.lifecycle.revision == 8


def test_a_reset_keeps_who_and_where_the_session_is():
    life = apply_reset(FULL, session_id="new", now=NOW)
    assert (life.key, life.agent_id, life.owner) == (FULL.key, FULL.agent_id, FULL.owner)
    assert (life.origin, life.delivery) == (FULL.origin, FULL.delivery)
    assert life.naming == Naming(label="l", display_name="d", subject="s", group_channel="g", space="p")
    assert (life.lifecycle.pinned_at, life.lifecycle.last_read_at, life.lifecycle.created_at) == (5, 4, 6)


def test_a_reset_starts_counting_from_nothing():
    life = apply_reset(FULL, session_id="new", now=NOW)
    assert life.counters == Counters(model_provider="anthropic", model="claude")


def test_a_reset_keeps_what_a_person_set_and_ends_rights_on_the_host():
    life = apply_reset(FULL, session_id="new", now=NOW)
    kept = {field.name for field in fields(Overrides) if getattr(life.overrides, field.name) is not None}
    assert kept == KEPT
    assert all(getattr(life.overrides, name) == getattr(FULL.overrides, name) for name in KEPT)


def test_a_reset_does_not_lift_a_restriction():
    strict = Overrides(
        sandbox_mode=True, elevated_level="off", exec_host="sandbox", exec_security="deny", exec_ask="always"
    )
    session = Session(key="agent:main:main", agent_id="main", session_id="old", overrides=strict)
    assert apply_reset(session, session_id="new", now=NOW).overrides == strict


def test_a_reset_drops_an_automatic_auth_choice():
    automatic = Overrides(auth_profile_override="spare", auth_profile_override_source="auto", model_override="m")
    session = Session(key="agent:main:main", agent_id="main", session_id="old", overrides=automatic)
    assert apply_reset(session, session_id="new", now=NOW).overrides == Overrides(model_override="m")


def test_a_reset_keeps_unknown_fields_and_forgets_those_of_the_old_life():
    assert apply_reset(FULL, session_id="new", now=NOW).extra == {"colour": "blue"}


def test_the_time_of_the_last_write_never_goes_back():
    ahead = Session(key="agent:main:main", agent_id="main", session_id="old", lifecycle=Lifecycle(updated_at=NOW + 5))
    assert apply_reset(ahead, session_id="new", now=NOW).lifecycle.updated_at == NOW + 5
    assert apply_soft_reset(ahead, now=NOW).lifecycle.updated_at == NOW + 5


def test_a_soft_reset_keeps_the_transcript_and_forgets_the_provider_side():
    soft = apply_soft_reset(FULL, now=NOW)
    assert (soft.session_id, soft.overrides, soft.counters.total_tokens) == ("old", FULL.overrides, 3)
    assert (soft.counters.system_sent, soft.counters.aborted_last_run) == (False, False)
    assert soft.extra == {"colour": "blue", "sessionFile": "old.jsonl"}
    assert (soft.lifecycle.updated_at, soft.lifecycle.started_at) == (NOW, 1)


def test_a_soft_reset_still_owes_the_line_about_an_automatic_one():
    owing = Session(key="agent:main:main", agent_id="main", session_id="old", extra={NOTICE_FIELD: "idle"})
    assert apply_soft_reset(owing, now=NOW).extra == {NOTICE_FIELD: "idle"}
