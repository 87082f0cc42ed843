"""Settings with the place they came from, as lines and as fields (WHY-6)."""

from __future__ import annotations

import pytest

from instar.core.explain.settings import build_setting_fields, build_setting_lines, describe_policy, tell_fields
from instar.core.lifecycle.reset import ResetPolicy
from instar.core.model.setting import Setting

POLICY = ResetPolicy(mode="daily", idle_s=7200)
SETTINGS = {
    "thinkingLevel": Setting(value="off", source="default"),
    "queueMode": Setting(value="collect", source="session"),
    "queueDebounceMs": Setting(value=250, source="default"),
    "sandboxMode": Setting(value=False, source="agent"),
    "model": Setting(value=None, source="config"),
    "reset": Setting(value=POLICY, source="type"),
}


def test_settings_are_told_by_the_place_they_came_from():
    assert build_setting_lines(SETTINGS) == (
        "Defaults: thinking off, quiet time 250 ms",
        "From the session: queue collect",
        "From the agent: sandbox off",
        "From the configuration: model none",
        "From the type of chat: reset daily at 04:00 or after 2 hours without a message",
    )
    assert build_setting_lines({"sandboxMode": Setting(value=True, source="inline")}) == (
        "From the message: sandbox on",
    )
    assert build_setting_lines({"queueCap": Setting(value=3, source="channel")}) == ("From the channel: queue cap 3",)
    heartbeats = {"heartbeatEveryMs": Setting(value=5_400_000, source="default")}
    assert build_setting_lines(heartbeats) == ("Defaults: heartbeat every 90 minutes (none is run yet)",)
    off = {"heartbeatEveryMs": Setting(value=0, source="config")}
    assert build_setting_lines(off) == ("From the configuration: heartbeat off",)
    assert build_setting_lines({}) == ()


@pytest.mark.parametrize(
    ("entry", "held", "told"),
    [
        ({"thinkingLevel": "high"}, {}, "Thinking: high"),
        ({}, {}, "Thinking: off (the default)"),
        ({}, {"thinkingLevel": Setting(value="low", source="channel")}, "Thinking: low (from the channel)"),
        ({}, {"thinkingLevel": Setting(value="off", source="default")}, "Thinking: off (the default)"),
        ({}, {"thinkingLevel": Setting(value=None, source="agent")}, "Thinking: off (the default)"),
    ],
)
def test_what_a_session_does_not_say_is_told_as_it_holds(entry, held, told):
    assert tell_fields(["thinkingLevel"], entry, held=held) == told


def test_fields_keep_the_names_of_files():
    fields = build_setting_fields(SETTINGS)
    assert fields["queueDebounceMs"] == {"value": 250, "source": "default"}
    assert fields["reset"] == {"value": "daily at 04:00 or after 2 hours without a message", "source": "type"}


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        (ResetPolicy(mode="none"), "never by itself"),
        (ResetPolicy(mode="idle", idle_s=3600), "after 1 hour without a message"),
        (ResetPolicy(mode="idle"), "never by itself"),
        (ResetPolicy(), "daily at 04:00"),
    ],
)
def test_a_policy_is_told_in_words(policy, told):
    assert describe_policy(policy) == told


@pytest.mark.parametrize(
    ("names", "entry", "told"),
    [
        (("thinkingLevel",), {"thinkingLevel": "high"}, "Thinking: high"),
        (("thinkingLevel", "reasoningLevel"), {"thinkingLevel": "low"}, "Thinking: low\nReasoning: off (the default)"),
        (("responseUsage",), {"responseUsage": None}, "Usage line: off (the default)"),
        (("sendPolicy",), {}, "Send: as configured"),
        (("groupActivation",), {"groupActivation": "always"}, "Activation: always"),
        (("queueCap",), {"queueCap": 7}, "Queue cap: 7"),
    ],
)
def test_what_a_command_has_set_is_told_in_peoples_words(names, entry, told):
    assert tell_fields(names, entry) == told
