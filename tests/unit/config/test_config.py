"""One frozen configuration: what is asked of it per channel and agent."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from instar.config.config import Config, parse_config
from instar.errors import ConfigError


def parse(raw: dict | None = None, **env: str) -> Config:
    return parse_config(raw or {}, env=env, state_dir=Path("/state"), home=Path("/house"))


def test_it_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        parse().reset_triggers = ()  # type: ignore[misc]  # that is the point


def test_two_readings_of_one_file_are_equal():
    raw = {"session": {"dmScope": "per-peer"}, "channels": {"irc": {}}}
    assert parse(raw) == parse(raw)
    assert parse(raw) != parse()


def test_every_room_gets_its_settings():
    config = parse(
        {
            "dmScope": "per-peer",
            "resetTime": "5:30",
            "sendPolicy": {"blocked": ["group"]},
            "session": {"resetTriggers": ["/fresh"], "store": "postgresql://h/db"},
            "messages": {"queue": {"mode": "collect"}},
            "delivery": {"maxAttempts": 2},
        }
    )
    assert config.routing.keys.dm_scope == "per-peer"
    assert config.reset.flat is not None
    assert len(config.send.rules) == 1
    assert config.reset_triggers == ("/fresh",)
    assert config.store.engine == "postgres"
    assert config.queue.mode == "collect"
    assert config.delivery.max_attempts == 2


def test_access_is_read_for_any_channel_and_remembered():
    config = parse({"channels": {"tg": {"dmPolicy": "open"}}})
    assert config.access("telegram").dm_policy == "open"
    assert config.access("TG") is config.access("telegram")
    assert config.access("irc").dm_policy == "pairing"


def test_activation_depends_on_the_agent():
    agents = {"list": [{"id": "a", "groupChat": {"mentionPatterns": ["ann"]}}, {"id": "b", "name": "Bob"}]}
    config = parse({"agents": agents, "channels": {"irc": {"requireMention": True}}})
    assert config.activation("irc", "a").mention_patterns == ("ann",)
    assert config.activation("irc").channel == "mention"
    assert config.activation("irc", "b") is config.activation("irc", "b")
    assert config.mention_patterns("b") != ("ann",)
    assert config.activation(None).channel is None


def test_a_channel_has_a_type_even_when_it_is_not_configured():
    config = parse({"channels": {"pigeon": {"type": "bridge", "token": "secret-1"}}})
    assert (config.channel_type("pigeon"), config.channel_type("webchat")) == ("bridge", "webchat")


def test_docking_knows_the_channels_with_commands_and_the_configured_ones():
    assert {"telegram", "slack", "irc"} <= parse({"channels": {"irc": {}}}).dock_channels


@pytest.mark.parametrize(
    ("agents", "expected"),
    [
        ({}, "/state/workspace"),
        ({"defaults": {"workspace": "~/work"}}, "/house/work"),
        ({"defaults": {"workspace": "/w/{agentId}"}}, "/w/main"),
        ({"defaults": {"workspace": "desk"}}, "/state/desk"),
        ({"list": [{"id": "main", "workspace": "/own"}]}, "/own"),
    ],
)
def test_an_agent_has_a_folder(agents, expected):
    assert parse({"agents": agents}).workspace("main") == expected


def test_all_secrets_are_known_to_the_redactor():
    config = parse(
        {
            "gateway": {"auth": {"token": "gateway-secret"}},
            "channels": {
                "telegram": {"accounts": {"a": {"botToken": "bot-secret"}}},
                "b": {"type": "bridge", "token": "${T}"},
            },
            "models": {"providers": {"x": {"baseUrl": "http://x", "apiKey": "key-secret"}}},
            "hooks": {"token": "short"},
            "session": {"store": "postgresql://me:store%2Dsecret@db/instar"},
            "plugins": [{"apiKeys": ["list-secret", 5]}],
        },
        T="bridge-secret",
        OPENAI_API_KEY="openai-secret",
    )
    assert config.secrets == (
        "bot-secret",
        "bridge-secret",
        "gateway-secret",
        "key-secret",
        "list-secret",
        "openai-secret",
        "store-secret",
    )


def test_nothing_secret_is_printed():
    config = parse(
        {"gateway": {"auth": {"token": "hunter-2"}}, "channels": {"b": {"type": "bridge", "token": "hunter-2"}}}
    )
    assert "hunter-2" not in repr(config)


def test_a_mistake_in_one_channel_is_told_at_once():
    with pytest.raises(ConfigError, match="dmPolicy"):
        parse({"channels": {"irc": {"dmPolicy": "sometimes"}}})
