"""`agents.defaults.compaction`: when a context is made smaller, and how (COMPACT-1, FLUSH-1)."""

from __future__ import annotations

from collections.abc import Mapping

from instar.config.read import read_bool, read_object, read_text, read_whole
from instar.config.sections.per_agent import PerAgent, parse_per_agent
from instar.core.context.compaction import CompactionSettings
from instar.core.context.flush import FlushSettings
from instar.core.model.quantity import parse_size_bytes
from instar.errors import ConfigError

__all__ = ["parse_compaction", "parse_compaction_fields"]


def parse_compaction(root: Mapping[str, object]) -> PerAgent[CompactionSettings]:
    """The compaction settings of a whole configuration whose aliases are applied, for all agents.

    Raises ConfigError, with the path of the setting, for a value that cannot be used.
    """
    return parse_per_agent(root, "compaction", parse=parse_compaction_fields)


def parse_compaction_fields(fields: Mapping[str, object], path: str) -> CompactionSettings:
    """The settings of one ``compaction`` object; what it does not say has its default.

    Other words for mode and policy than those of COMPACT-1 exist in configurations of OpenClaw; they count as the
    default, which checks the most.
    """
    default = CompactionSettings()
    guard = read_object(fields.get("qualityGuard"), f"{path}.qualityGuard")
    guard_on = read_bool(guard.get("enabled"), f"{path}.qualityGuard.enabled")
    policy = read_text(fields.get("identifierPolicy"), f"{path}.identifierPolicy")
    mode = read_text(fields.get("mode"), f"{path}.mode")
    return CompactionSettings(
        enabled=_flag(fields, "enabled", path, default=default.enabled),
        mode="default" if mode == "default" else "safeguard",
        keep_recent_tokens=_count(fields, "keepRecentTokens", path, default=default.keep_recent_tokens),
        reserve_tokens=_count(fields, "reserveTokens", path, default=default.reserve_tokens),
        reserve_floor_tokens=_count(fields, "reserveTokensFloor", path, default=default.reserve_floor_tokens),
        model=read_text(fields.get("model"), f"{path}.model"),
        provider=read_text(fields.get("provider"), f"{path}.provider"),
        identifier_policy="off" if guard_on is False or policy == "off" else "strict",
        check_retries=_count(guard, "maxRetries", f"{path}.qualityGuard", default=default.check_retries),
        notify_user=_flag(fields, "notifyUser", path, default=default.notify_user),
        max_active_bytes=_size(fields, "maxActiveTranscriptBytes", path),
        instructions=read_text(fields.get("customInstructions"), f"{path}.customInstructions") or "",
        flush=_read_flush(fields.get("memoryFlush"), f"{path}.memoryFlush"),
    )


def _read_flush(value: object, path: str) -> FlushSettings:
    fields, default = read_object(value, path), FlushSettings()
    return FlushSettings(
        enabled=_flag(fields, "enabled", path, default=default.enabled),
        soft_threshold_tokens=_count(fields, "softThresholdTokens", path, default=default.soft_threshold_tokens),
        prompt=read_text(fields.get("prompt"), f"{path}.prompt"),
        system_prompt=read_text(fields.get("systemPrompt"), f"{path}.systemPrompt"),
        model=read_text(fields.get("model"), f"{path}.model"),
        force_bytes=_size(fields, "forceFlushTranscriptBytes", path),
    )


def _flag(fields: Mapping[str, object], name: str, path: str, *, default: bool) -> bool:
    value = read_bool(fields.get(name), f"{path}.{name}")
    return default if value is None else value


def _count(fields: Mapping[str, object], name: str, path: str, *, default: int) -> int:
    value = read_whole(fields.get(name), f"{path}.{name}")
    return default if value is None else value


def _size(fields: Mapping[str, object], name: str, path: str) -> int | None:
    """Bytes, bare or with a unit; None where nothing is set, and for 0, which turns the guard off."""
    value = fields.get(name)
    if value is None:
        return None
    size = parse_size_bytes(value)
    if size is None:
        raise ConfigError(
            "The value is no size",
            why="it is neither a number of bytes nor a number with b, kb, mb, gb or tb",
            fix='Write 20000000, or "20mb".',
            path=f"{path}.{name}",
        )
    return size or None
