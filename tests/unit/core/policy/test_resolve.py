"""Which session is meant, and which settings hold for it (RESOLVE-1…6, WHY-6)."""

from __future__ import annotations

import pytest

from instar.core.lifecycle.reset import ResetPolicy, ResetRule, ResetSettings
from instar.core.model.ids import AgentId, ChannelName, SessionId, SessionKey
from instar.core.model.session import Naming, Origin, Overrides, Session
from instar.core.model.setting import Setting
from instar.core.model.view import SessionRef
from instar.core.policy.resolve import (
    PLAIN_DEFAULTS,
    SettingLayers,
    effective_settings,
    find_meant,
    require_agent,
    reset_source,
    resolve_level,
    resolve_plain_settings,
)
from instar.core.policy.send import SendDecision
from instar.core.queue.settings import QueueConfig, resolve_queue_settings
from instar.errors import InvalidRequest

MAIN = SessionKey("agent:main:main")
TELEGRAM = ChannelName("telegram")


def session(key="agent:main:main", session_id="11111111-aaaa", *, agent="main", label=None, parent=None):
    return Session(
        key=SessionKey(key),
        agent_id=AgentId(agent),
        session_id=SessionId(session_id),
        naming=Naming(label=label),
        origin=Origin(spawned_by=parent),
    )


# --- references -------------------------------------------------------------------------------------------------------


def test_every_session_that_is_meant_is_named():
    one, two = session(), session("agent:main:x")
    ref = SessionRef(label="x")
    assert find_meant(ref, [one]) == (MAIN,)
    assert find_meant(ref, []) == ()
    assert find_meant(ref, [one, two]) == (MAIN, "agent:main:x")


def test_a_whole_session_id_beats_the_beginning_of_another():
    short, long = session(session_id="aaaaaaaa"), session("agent:main:x", "aaaaaaaa-1111")
    assert find_meant(SessionRef(session_id="aaaaaaaa"), [long, short]) == (MAIN,)


def test_the_beginning_of_a_session_id_counts_from_eight_characters_on():
    one, two = session(session_id="aaaaaaaa-1111"), session("agent:main:x", "aaaaaaaa-2222")
    assert find_meant(SessionRef(session_id="aaaaaaaa"), [one, two]) == (MAIN, "agent:main:x")
    assert find_meant(SessionRef(session_id="aaaaaaa"), [one]) == ()
    assert find_meant(SessionRef(session_id="aaa"), [session(session_id="aaa")]) == (MAIN,)


@pytest.mark.parametrize(
    ("given", "filters", "passes"),
    [
        (session(), {}, True),
        (session(), {"agent_id": AgentId("main")}, True),
        (session(), {"agent_id": AgentId("other")}, False),
        (session(parent=MAIN), {"spawned_by": MAIN}, True),
        (session(), {"spawned_by": MAIN}, False),
        (session("global"), {}, False),
        (session("global"), {"include_global": True}, True),
        (session("unknown"), {}, False),
        (session("unknown"), {"include_unknown": True}, True),
    ],
)
def test_filters_narrow_what_is_meant(given, filters, passes):
    assert bool(find_meant(SessionRef(label="x", **filters), [given])) is passes


@pytest.mark.parametrize("key", ["global", "unknown"])
def test_special_sessions_may_be_named_in_full(key):
    assert find_meant(SessionRef(key=SessionKey(key)), [session(key)]) == (key,)


def test_an_agent_that_is_named_is_one_that_is_there():
    require_agent(AgentId("main"), [AgentId("main")])
    with pytest.raises(InvalidRequest, match="unknown agent id 'ghost'") as refused:
        require_agent(AgentId("ghost"), [AgentId("main"), AgentId("deep")])
    assert "main, deep" in str(refused.value.why)


# --- settings ---------------------------------------------------------------------------------------------------------


def test_without_a_word_anywhere_the_defaults_hold():
    settings = resolve_plain_settings(SettingLayers())
    assert {name: setting.value for name, setting in settings.items()} == dict(PLAIN_DEFAULTS)
    assert {setting.source for setting in settings.values()} == {"default"}


def test_the_layers_stand_in_order():
    layers = SettingLayers(
        inline={"thinkingLevel": "high"},
        overrides=Overrides(
            thinking_level="low", verbose_level="full", provider_override="openai", model_override="gpt"
        ),
        channel={"verboseLevel": "on", "reasoningLevel": "on"},
        agent={"reasoningLevel": "stream", "elevatedLevel": "ask"},
        config={"elevatedLevel": "full", "responseUsage": "tokens", "model": "anthropic/opus"},
    )
    settings = resolve_plain_settings(layers)
    assert {name: (setting.value, setting.source) for name, setting in settings.items()} == {
        "thinkingLevel": ("high", "inline"),
        "verboseLevel": ("full", "session"),
        "reasoningLevel": ("on", "channel"),
        "elevatedLevel": ("ask", "agent"),
        "responseUsage": ("tokens", "config"),
        "model": ("openai/gpt", "session"),
    }


def test_one_level_is_told_with_its_layer():
    layers = SettingLayers(overrides=Overrides(verbose_level="on"), config={"thinkingLevel": "low"})
    assert resolve_level("verboseLevel", layers) == Setting(value="on", source="session")
    assert resolve_level("thinkingLevel", layers) == Setting(value="low", source="config")
    assert resolve_level("responseUsage", layers) == Setting(value="off", source="default")


def test_a_model_without_a_provider_is_told_as_it_stands():
    layers = SettingLayers(overrides=Overrides(model_override="gpt"))
    assert resolve_plain_settings(layers)["model"] == Setting(value="gpt", source="session")


def test_every_room_tells_its_setting_and_where_it_came_from():
    policy = ResetPolicy(mode="idle")
    settings = effective_settings(
        SettingLayers(),
        queue=resolve_queue_settings(
            QueueConfig(mode="collect"), channel=None, overrides=Overrides(queue_cap=3, queue_debounce_ms=1)
        ),
        activation=Setting(value="mention", source="channel"),
        send=SendDecision(verdict="deny", rule="SEND-3", source="deny_rule", matched="rules[0]"),
        sandbox=Setting(value=True, source="agent"),
        reset=Setting(value=policy, source="type"),
    )
    assert {name: settings[name] for name in settings if name not in PLAIN_DEFAULTS} == {
        "queueMode": Setting(value="collect", source="config"),
        "queueDebounceMs": Setting(value=1, source="session"),
        "queueCap": Setting(value=3, source="session"),
        "queueDrop": Setting(value="summarize", source="default"),
        "groupActivation": Setting(value="mention", source="channel"),
        "sendPolicy": Setting(value="deny", source="config"),
        "sandboxMode": Setting(value=True, source="agent"),
        "reset": Setting(value=policy, source="type"),
    }


@pytest.mark.parametrize(
    ("settings", "source"),
    [
        (ResetSettings(by_channel={TELEGRAM: ResetRule()}, base=ResetRule()), "channel"),
        (ResetSettings(by_type={"direct": ResetRule()}, base=ResetRule()), "type"),
        (ResetSettings(by_type={"group": ResetRule()}, base=ResetRule()), "config"),
        (ResetSettings(flat=ResetRule(idle_s=60)), "config"),
        (ResetSettings(), "default"),
    ],
)
def test_a_reset_policy_comes_from_its_strongest_layer(settings, source):
    assert reset_source(settings, "direct", TELEGRAM) == source


def test_a_session_without_a_channel_has_no_policy_of_a_channel():
    assert reset_source(ResetSettings(by_channel={TELEGRAM: ResetRule()}), "direct", None) == "default"
