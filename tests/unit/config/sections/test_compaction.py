"""The configuration of compaction and memory flush (COMPACT-1, FLUSH-1)."""

from __future__ import annotations

import pytest

from instar.config.aliases import apply_aliases
from instar.config.sections.compaction import parse_compaction
from instar.core.context.compaction import CompactionSettings
from instar.core.context.flush import FlushSettings
from instar.errors import ConfigError


def parse(fields):
    return parse_compaction({"agents": {"defaults": {"compaction": fields}}}).default


def test_nothing_configured_is_every_default():
    assert parse_compaction({}).default == CompactionSettings()


def test_every_field_is_read():
    settings = parse(
        {
            "enabled": False,
            "mode": "default",
            "keepRecentTokens": 1,
            "reserveTokens": 2,
            "reserveTokensFloor": 0,
            "model": "openai/gpt-6",
            "provider": "plugin",
            "identifierPolicy": "off",
            "qualityGuard": {"maxRetries": 3},
            "notifyUser": True,
            "maxActiveTranscriptBytes": "20mb",
            "customInstructions": "be brief",
            "memoryFlush": {
                "enabled": False,
                "softThresholdTokens": 5,
                "prompt": "p",
                "systemPrompt": "s",
                "model": "m",
                "forceFlushTranscriptBytes": 2048,
            },
        }
    )

    assert settings == CompactionSettings(
        enabled=False,
        mode="default",
        keep_recent_tokens=1,
        reserve_tokens=2,
        reserve_floor_tokens=0,
        model="openai/gpt-6",
        provider="plugin",
        identifier_policy="off",
        check_retries=3,
        notify_user=True,
        max_active_bytes=20 << 20,
        instructions="be brief",
        flush=FlushSettings(
            enabled=False, soft_threshold_tokens=5, prompt="p", system_prompt="s", model="m", force_bytes=2048
        ),
    )


def test_older_place_is_read_too():
    root = apply_aliases({"agent": {"compaction": {"keepRecentTokens": 7}}})

    assert parse_compaction(root).default.keep_recent_tokens == 7


@pytest.mark.parametrize(
    ("fields", "keeps"),
    [
        ({}, True),
        ({"identifierPolicy": "custom"}, True),
        ({"identifierPolicy": "off"}, False),
        ({"qualityGuard": {"enabled": False}}, False),
        ({"qualityGuard": {"enabled": True}}, True),
        ({"mode": "default"}, False),
        ({"mode": "new"}, True),
    ],
)
def test_identifiers_are_checked_unless_somebody_says_otherwise(fields, keeps):
    assert parse(fields).keeps_identifiers is keeps


def test_size_of_0_turns_a_guard_off():
    assert parse({"maxActiveTranscriptBytes": 0}).max_active_bytes is None


@pytest.mark.parametrize("fields", [{"maxActiveTranscriptBytes": "huge"}, {"reserveTokens": -1}, {"enabled": "no"}])
def test_value_that_cannot_be_used_is_an_error_with_its_path(fields):
    with pytest.raises(ConfigError, match=rf"agents\.defaults\.compaction\.{next(iter(fields))}"):
        parse(fields)
