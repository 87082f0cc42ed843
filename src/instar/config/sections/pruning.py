"""`agents.defaults.contextPruning`: how old tool results are trimmed for the model (PRUNE-2 to PRUNE-4, X-12, X-13)."""

from __future__ import annotations

import math
from collections.abc import Mapping

from instar.config.read import read_bool, read_number, read_object, read_text, read_text_list
from instar.config.sections.per_agent import PerAgent, parse_per_agent
from instar.core.context.pruning import HardClear, PruningMode, PruningSettings, SoftTrim
from instar.core.model.quantity import parse_duration_ms
from instar.core.policy.tool_patterns import ToolPatterns

__all__ = ["parse_pruning", "parse_pruning_fields"]

_DEFAULT = PruningSettings()


def parse_pruning(root: Mapping[str, object]) -> PerAgent[PruningSettings]:
    """The pruning settings of a whole configuration whose aliases are applied, for all agents.

    Raises ConfigError, with the path of the setting, for a value of a wrong type.
    """
    return parse_per_agent(root, "contextPruning", parse=parse_pruning_fields)


def parse_pruning_fields(fields: Mapping[str, object], path: str) -> PruningSettings:
    """The settings of one ``contextPruning`` object; what it does not say has its default."""
    ttl_ms = parse_duration_ms(fields.get("ttl"), bare_unit="m")
    return PruningSettings(
        mode=_read_mode(fields.get("mode")),
        ttl_ms=_DEFAULT.ttl_ms if ttl_ms is None else ttl_ms,
        keep_last_assistants=_count(fields, "keepLastAssistants", path, default=_DEFAULT.keep_last_assistants),
        soft_trim_ratio=_ratio(fields, "softTrimRatio", path, default=_DEFAULT.soft_trim_ratio),
        hard_clear_ratio=_ratio(fields, "hardClearRatio", path, default=_DEFAULT.hard_clear_ratio),
        min_prunable_tool_chars=_count(fields, "minPrunableToolChars", path, default=_DEFAULT.min_prunable_tool_chars),
        soft_trim=_read_soft_trim(fields.get("softTrim"), f"{path}.softTrim"),
        hard_clear=_read_hard_clear(fields.get("hardClear"), f"{path}.hardClear"),
        tools=_read_tools(fields.get("tools"), f"{path}.tools"),
    )


def _read_mode(value: object) -> PruningMode | None:
    """The mode, matched exactly. Any other value is somebody's choice too, but no mode: nothing is pruned."""
    if value is None:
        return None
    return "cache-ttl" if value == "cache-ttl" else "off"


def _read_soft_trim(value: object, path: str) -> SoftTrim:
    fields, default = read_object(value, path), SoftTrim()
    return SoftTrim(
        max_chars=_count(fields, "maxChars", path, default=default.max_chars),
        head_chars=_count(fields, "headChars", path, default=default.head_chars),
        tail_chars=_count(fields, "tailChars", path, default=default.tail_chars),
    )


def _read_hard_clear(value: object, path: str) -> HardClear:
    fields, default = read_object(value, path), HardClear()
    enabled = read_bool(fields.get("enabled"), f"{path}.enabled")
    return HardClear(
        enabled=default.enabled if enabled is None else enabled,
        placeholder=read_text(fields.get("placeholder"), f"{path}.placeholder") or default.placeholder,
    )


def _read_tools(value: object, path: str) -> ToolPatterns:
    fields = read_object(value, path)
    return ToolPatterns(
        allow=_patterns(fields.get("allow"), f"{path}.allow"), deny=_patterns(fields.get("deny"), f"{path}.deny")
    )


def _patterns(value: object, path: str) -> tuple[str, ...] | None:
    return None if value is None else read_text_list(value, path)


def _count(fields: Mapping[str, object], name: str, path: str, *, default: int) -> int:
    """A number floored and at least 0."""
    number = read_number(fields.get(name), f"{path}.{name}")
    return default if number is None else max(0, math.floor(number))


def _ratio(fields: Mapping[str, object], name: str, path: str, *, default: float) -> float:
    """A number brought between 0 and 1."""
    number = read_number(fields.get(name), f"{path}.{name}")
    return default if number is None else min(1.0, max(0.0, number))
