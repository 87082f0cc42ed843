"""The configuration of pruning in its spellings (PRUNE-2, PRUNE-4)."""

from __future__ import annotations

import pytest

from instar.config.sections.pruning import parse_pruning
from instar.core.context.pruning import HardClear, PruningSettings, SoftTrim
from instar.core.policy.tool_patterns import ToolPatterns
from instar.errors import ConfigError


def parse(fields):
    return parse_pruning({"agents": {"defaults": {"contextPruning": fields}}}).default


def test_nothing_configured_is_every_default_without_a_mode():
    assert parse_pruning({}).default == PruningSettings()


def test_every_field_is_read():
    settings = parse(
        {
            "mode": "cache-ttl",
            "ttl": "1h",
            "keepLastAssistants": 5,
            "softTrimRatio": 0.2,
            "hardClearRatio": 0.4,
            "minPrunableToolChars": 100,
            "softTrim": {"maxChars": 10, "headChars": 3, "tailChars": 4},
            "hardClear": {"enabled": False, "placeholder": "[gone]"},
            "tools": {"allow": ["a*"], "deny": ["b"]},
        }
    )

    assert settings == PruningSettings(
        mode="cache-ttl",
        ttl_ms=3_600_000,
        keep_last_assistants=5,
        soft_trim_ratio=0.2,
        hard_clear_ratio=0.4,
        min_prunable_tool_chars=100,
        soft_trim=SoftTrim(max_chars=10, head_chars=3, tail_chars=4),
        hard_clear=HardClear(enabled=False, placeholder="[gone]"),
        tools=ToolPatterns(allow=("a*",), deny=("b",)),
    )


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({"ttl": "soon"}, "ttl_ms", 300_000),
        ({"ttl": 2}, "ttl_ms", 120_000),
        ({"ttl": "20"}, "ttl_ms", 1_200_000),
        ({"ttl": 0}, "ttl_ms", 0),
        ({"keepLastAssistants": 2.9}, "keep_last_assistants", 2),
        ({"keepLastAssistants": -1}, "keep_last_assistants", 0),
        ({"softTrimRatio": 7}, "soft_trim_ratio", 1.0),
        ({"hardClearRatio": -1}, "hard_clear_ratio", 0.0),
        ({"mode": "Cache-TTL"}, "mode", "off"),
        ({"mode": "off"}, "mode", "off"),
        ({"mode": None}, "mode", None),
        ({"hardClear": {"placeholder": "  "}}, "hard_clear", HardClear()),
        ({"tools": {"allow": []}}, "tools", ToolPatterns(allow=())),
    ],
)
def test_values_are_cleaned_up(fields, name, value):
    assert getattr(parse(fields), name) == value


@pytest.mark.parametrize("fields", ["on", {"softTrimRatio": "a lot"}, {"hardClear": {"enabled": "yes"}}])
def test_value_of_a_wrong_type_is_an_error_with_its_path(fields):
    with pytest.raises(ConfigError, match=r"agents\.defaults\.contextPruning"):
        parse(fields)


def test_agent_overrides_field_by_field():
    pruning = parse_pruning(
        {
            "agents": {
                "defaults": {"contextPruning": {"mode": "cache-ttl", "ttl": "1h"}},
                "list": [{"id": "main"}, {"id": "quick", "contextPruning": {"ttl": "1m"}}],
            }
        }
    )

    assert pruning.get("main") == PruningSettings(mode="cache-ttl", ttl_ms=3_600_000)
    assert pruning.get("quick") == PruningSettings(mode="cache-ttl", ttl_ms=60_000)
    assert pruning.get("unknown") == pruning.default
