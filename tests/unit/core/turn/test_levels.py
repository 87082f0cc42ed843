"""Whose word counts for a turn: the message, its session, the channel, the agent (RESOLVE-4, RESOLVE-5)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instar.core.model.change import Submission, TurnOptions
from instar.core.model.ids import AgentId, ChannelName, SessionKey
from instar.core.model.session import Overrides
from instar.core.policy.resolve import LevelDefaults, resolve_level
from instar.core.turn.levels import build_level_layers, find_speaking_channel
from tests.builders.turns import KEY, build_item, build_session

MAIN = AgentId("main")
DEFAULTS = LevelDefaults(
    by_channel={ChannelName("telegram"): {"thinkingLevel": "high"}, ChannelName("slack"): {"thinkingLevel": "minimal"}},
    by_agent={MAIN: {"thinkingLevel": "medium", "verboseLevel": "on"}},
    config={"verboseLevel": "full", "responseUsage": "tokens"},
)


def message(*, channel="telegram", key=None, **options):
    asked = TurnOptions(**options)
    return replace(build_item(channel=channel).submission, session_key=key, options=asked)


def session(channel=None, **overrides):
    begun = build_session()
    origin = replace(begun.origin, channel=ChannelName(channel) if channel else None)
    return replace(begun, origin=origin, overrides=Overrides(**overrides))


def held(name, known, submission: Submission | None = None, *, agent_id=MAIN):
    found = resolve_level(name, build_level_layers(DEFAULTS, known, agent_id=agent_id, submission=submission))
    return found.value, found.source


def test_the_message_goes_before_its_session_and_the_session_before_the_channel():
    assert held("thinkingLevel", session(thinking_level="low"), message(thinking="xhigh")) == ("xhigh", "inline")
    assert held("thinkingLevel", session(thinking_level="low"), message()) == ("low", "session")
    assert held("thinkingLevel", session(), message()) == ("high", "channel")


def test_the_agent_goes_before_all_agents():
    assert held("verboseLevel", session(), message()) == ("on", "agent")
    assert held("verboseLevel", session(), message(), agent_id=AgentId("other")) == ("full", "config")
    assert held("responseUsage", None, message()) == ("tokens", "config")
    assert held("reasoningLevel", None) == ("off", "default")


@pytest.mark.parametrize(
    ("field", "option", "value"),
    [
        ("verboseLevel", "verbose", "full"),
        ("reasoningLevel", "reasoning", "stream"),
        ("elevatedLevel", "elevated", "ask"),
        ("responseUsage", "usage", "full"),
    ],
)
def test_every_directive_of_a_message_counts(field, option, value):
    assert held(field, session(), message(**{option: value})) == (value, "inline")


@pytest.mark.parametrize(
    ("known", "submission", "channel"),
    [
        (session("slack"), message(), "telegram"),
        (None, message(), "telegram"),
        (session("slack"), message(key=SessionKey(KEY)), "slack"),
        (session("slack"), message(system=True), "slack"),
        (session("slack"), None, "slack"),
        (None, None, None),
    ],
)
def test_the_channel_that_counts_is_the_one_a_message_came_through(known, submission, channel):
    assert find_speaking_channel(known, submission) == channel
