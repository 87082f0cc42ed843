"""The levels that a configuration sets, in their places and spellings (RESOLVE-5)."""

from __future__ import annotations

import pytest

from instar.config.sections.levels import find_level_words, is_level, parse_level_defaults
from instar.core.policy.resolve import LevelDefaults
from instar.errors import ConfigError


def test_nothing_configured_says_nothing():
    assert parse_level_defaults({}) == LevelDefaults()


def test_each_place_is_read():
    found = parse_level_defaults(
        {
            "agents": {
                "defaults": {"thinkingDefault": "mid", "verboseDefault": "on", "elevatedDefault": "ask"},
                "list": [{"id": "main"}, {"id": "deep", "thinkingDefault": "MAX", "responseUsageDefault": "full"}],
                "entries": {"short": {"reasoningDefault": "on"}},
            },
            "channels": {"tg": {"thinkingDefault": "off"}, "door": {"type": "bridge", "verboseDefault": "full"}},
        }
    )
    assert found == LevelDefaults(
        by_channel={"telegram": {"thinkingLevel": "off"}, "door": {"verboseLevel": "full"}},
        by_agent={
            "deep": {"thinkingLevel": "high", "responseUsage": "full"},
            "short": {"reasoningLevel": "on"},
        },
        config={"thinkingLevel": "medium", "verboseLevel": "on", "elevatedLevel": "ask"},
    )


def test_the_word_stream_means_thinking_and_reasoning_unless_that_is_said():
    both = parse_level_defaults({"agents": {"defaults": {"thinkingDefault": "stream"}}})
    assert both.config == {"thinkingLevel": "low", "reasoningLevel": "stream"}
    said = parse_level_defaults({"agents": {"defaults": {"reasoningDefault": "off", "thinkingDefault": "stream"}}})
    assert said.config == {"thinkingLevel": "low", "reasoningLevel": "off"}


@pytest.mark.parametrize(
    ("usage", "config", "telegram"),
    [
        ("on", {"responseUsage": "tokens"}, {}),
        ({"default": "full"}, {"responseUsage": "full"}, {}),
        ({"tg": "full", "telegram": "off"}, {}, {"responseUsage": "off"}),
        ({"telegram": None, "default": None}, {}, {}),
    ],
)
def test_openclaws_place_for_the_line_about_tokens_is_read(usage, config, telegram):
    found = parse_level_defaults({"messages": {"responseUsage": usage}})
    assert found.config == config
    assert found.by_channel.get("telegram", {}) == telegram


def test_a_place_of_its_own_goes_before_openclaws():
    found = parse_level_defaults(
        {
            "messages": {"responseUsage": {"default": "full", "telegram": "full"}},
            "agents": {"defaults": {"responseUsageDefault": "off"}},
            "channels": {"telegram": {"responseUsageDefault": "tokens"}},
        }
    )
    assert found.config == {"responseUsage": "off"}
    assert found.by_channel == {"telegram": {"responseUsage": "tokens"}}


def test_a_word_that_is_no_level_is_ignored_and_a_number_is_none():
    assert parse_level_defaults({"agents": {"defaults": {"thinkingDefault": "adaptive"}}}) == LevelDefaults()
    with pytest.raises(ConfigError, match=r"channels\.telegram\.verboseDefault"):
        parse_level_defaults({"channels": {"telegram": {"verboseDefault": 3}}})


def test_every_level_that_is_written_is_found():
    root = {
        "agents": {
            "defaults": {"thinkingDefault": "adaptive"},
            "list": [{"id": "main", "verboseDefault": "on"}],
            "entries": {"b": {"elevatedDefault": "much"}},
        },
        "channels": {"tg": {"reasoningDefault": None, "responseUsageDefault": "x"}},
        "messages": {"responseUsage": {"default": "full", "tg": None}},
    }
    assert list(find_level_words(root)) == [
        ("agents.defaults.thinkingDefault", "thinkingLevel", "adaptive"),
        ("agents.list[0].verboseDefault", "verboseLevel", "on"),
        ("agents.entries.b.elevatedDefault", "elevatedLevel", "much"),
        ("channels.tg.responseUsageDefault", "responseUsage", "x"),
        ("messages.responseUsage.default", "responseUsage", "full"),
    ]
    assert list(find_level_words({"messages": {"responseUsage": "on"}})) == [
        ("messages.responseUsage", "responseUsage", "on")
    ]
    assert is_level("thinkingLevel", "ultra")
    assert not is_level("thinkingLevel", "adaptive")
