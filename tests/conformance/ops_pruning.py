"""`pruning.json`: which tool results are trimmed before a request, and which tools may be (PRUNE-*)."""

from __future__ import annotations

from collections.abc import Callable

from instar.config.sections.pruning import parse_pruning_fields
from instar.core.context.pruning import PruningSettings, plan_pruning, resolve_mode
from instar.core.model.entry import (
    ZERO_USAGE,
    AnyMessage,
    AssistantMessage,
    Block,
    ImageBlock,
    OtherMessage,
    TextBlock,
    ToolResultMessage,
    UserMessage,
)
from instar.core.model.ids import Instant
from instar.core.policy.tool_patterns import allows_tool
from instar.core.transcript.repair import PlacedMessage


def ask_prune(case: dict) -> dict[str, object]:
    settings = parse_pruning_fields(case.get("contextPruning") or {}, "contextPruning")
    last_call_at = case.get("lastCacheTouchAt")
    done = plan_pruning(
        [PlacedMessage(entry_id=None, message=build_message(spec)) for spec in case["messages"]],
        resolve_mode(settings, provider=case.get("provider") or "", model=case.get("model") or ""),
        window_tokens=case.get("contextWindowTokens") or 0,
        now=Instant(case["now"]),
        last_call_at=None if last_call_at is None else Instant(last_call_at),
    )
    return {
        "ran": done.ran,
        "reason": done.reason,
        "actions": list(done.actions),
        "ttlClockReset": done.resets_clock,
    }


def build_message(spec: dict) -> AnyMessage:
    """A message of the given role whose text and images have the given sizes."""
    content: tuple[Block, ...] = (TextBlock(text="x" * spec.get("chars", 0)),)
    content += (ImageBlock(data="", mime_type="image/png"),) * spec.get("images", 0)
    match spec["role"]:
        case "user":
            return UserMessage(content=content, timestamp=None)
        case "assistant":
            return AssistantMessage(
                content=content, api="", provider="", model="", usage=ZERO_USAGE, stop_reason="stop", timestamp=None
            )
        case "toolResult":
            name = spec.get("toolName") or ""
            return ToolResultMessage(tool_call_id="", tool_name=name, content=content, is_error=False, timestamp=None)
        case role:
            return OtherMessage(role=role, raw={"role": role})


def ask_tool_match(case: dict) -> dict[str, object]:
    settings = parse_pruning_fields({"tools": case.get("tools")}, "contextPruning")
    return {"prunable": allows_tool(settings.tools, case["toolName"])}


def show_settings(settings: PruningSettings) -> dict[str, object] | None:
    """The settings under the names of the configuration; None when pruning is off."""
    if settings.mode != "cache-ttl":
        return None
    lists = {"allow": settings.tools.allow, "deny": settings.tools.deny}
    return {
        "mode": settings.mode,
        "ttlMs": settings.ttl_ms,
        "keepLastAssistants": settings.keep_last_assistants,
        "softTrimRatio": settings.soft_trim_ratio,
        "hardClearRatio": settings.hard_clear_ratio,
        "minPrunableToolChars": settings.min_prunable_tool_chars,
        "softTrim": {
            "maxChars": settings.soft_trim.max_chars,
            "headChars": settings.soft_trim.head_chars,
            "tailChars": settings.soft_trim.tail_chars,
        },
        "hardClear": {
            "enabled": settings.hard_clear.enabled,
            "placeholder": settings.hard_clear.placeholder,
        },
        "tools": {name: list(patterns) for name, patterns in lists.items() if patterns is not None},
    }


OPS: dict[str, Callable[[dict], object]] = {"prune": ask_prune, "toolMatch": ask_tool_match}
