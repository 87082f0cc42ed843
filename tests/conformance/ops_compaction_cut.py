"""`compaction_cut.json`: where a compaction cuts, when it starts, when memory is written first (COMPACT-*, FLUSH-*)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from instar.config.sections.compaction import parse_compaction_fields
from instar.core.context.build import build_view
from instar.core.context.compaction import CompactionSettings, decide_threshold, effective_reserve
from instar.core.context.cut import Cut, find_cut
from instar.core.context.flush import decide_flush
from instar.core.context.view import ContextItem, place_messages
from instar.core.model.entry import (
    ZERO_USAGE,
    AnyEntry,
    AnyMessage,
    AssistantMessage,
    BranchSummaryEntry,
    CompactionEntry,
    CustomMessageEntry,
    MessageEntry,
    OtherEntry,
    OtherMessage,
    TextBlock,
    ToolResultMessage,
    UserMessage,
)
from instar.core.model.ids import EntryId
from instar.core.model.session import Counters


def ask_cut(case: dict) -> dict[str, object]:
    entries = build_branch(case["entries"])
    items = build_view(entries).items
    if not items:
        return {"compact": False}
    cut = find_cut(items, keep_tokens=case["keepRecentTokens"]) or Cut(index=0)
    summarized = ids_of(items[: cut.history_end])
    prefix = ids_of(items[cut.history_end : cut.index])
    return {
        "compact": bool(summarized or prefix),
        "firstKeptEntryId": items[cut.index].entry.id,
        "isSplitTurn": cut.turn_start is not None,
        "turnStartEntryId": None if cut.turn_start is None else items[cut.turn_start].entry.id,
        "summarized": summarized,
        "turnPrefix": prefix,
    }


def ids_of(items: Sequence[ContextItem]) -> list[str]:
    return [placed.entry_id or "" for placed in place_messages(item.entry for item in items)]


def build_branch(specs: Sequence[dict]) -> list[AnyEntry]:
    """Entries of the given types whose estimates are the given tokens."""
    entries: list[AnyEntry] = []
    for spec in specs:
        entry_id, parent_id = EntryId(spec["id"]), entries[-1].id if entries else None
        words = "x" * (4 * spec.get("tokens", 0))
        match spec["type"]:
            case "message":
                message = build_message(spec.get("role", "user"), words)
                entry: AnyEntry = MessageEntry(id=entry_id, parent_id=parent_id, timestamp=None, message=message)
            case "custom_message":
                entry = CustomMessageEntry(
                    id=entry_id, parent_id=parent_id, timestamp=None, custom_type="", content=words or "x", display=True
                )
            case "branch_summary":
                entry = BranchSummaryEntry(
                    id=entry_id, parent_id=parent_id, timestamp=None, from_id="", summary=words or "x"
                )
            case "compaction":
                entry = CompactionEntry(
                    id=entry_id,
                    parent_id=parent_id,
                    timestamp=None,
                    summary=words or "x",
                    first_kept_id=EntryId(spec.get("firstKeptEntryId") or ""),
                    tokens_before=0,
                )
            case kind:
                entry = OtherEntry(id=entry_id, parent_id=parent_id, timestamp=None, type=kind, raw=spec)
        entries.append(entry)
    return entries


def build_message(role: str, words: str) -> AnyMessage:
    content = (TextBlock(text=words),)
    match role:
        case "user":
            return UserMessage(content=content, timestamp=None)
        case "assistant":
            return AssistantMessage(
                content=content, api="", provider="", model="", usage=ZERO_USAGE, stop_reason="stop", timestamp=None
            )
        case "toolResult":
            return ToolResultMessage(tool_call_id="", tool_name="", content=content, is_error=False, timestamp=None)
        case "bashExecution":
            return OtherMessage(role=role, raw={"role": role, "command": "", "output": words[1:]})
        case _:
            return OtherMessage(role=role, raw={"role": role, "content": words, "summary": words})


def ask_trigger(case: dict) -> dict[str, object]:
    settings, window = settings_of(case), case["contextWindow"]
    decision = decide_threshold(settings, context_tokens=case["contextTokens"], window_tokens=window)
    return {
        "effectiveReserveTokens": effective_reserve(settings, window),
        "compact": decision.outcome == "compact",
    }


def ask_flush(case: dict) -> dict[str, object]:
    settings, window = settings_of(case), case["contextWindow"]
    turn = case.get("turn") or "user"
    decision = decide_flush(
        settings.flush,
        Counters(
            total_tokens=case.get("totalTokens") or 0,
            compaction_count=case.get("compactionCount") or 0,
            memory_flush_compaction_count=case.get("memoryFlushCompactionCount"),
        ),
        window_tokens=window,
        reserve_tokens=effective_reserve(settings, window),
        turn=turn if turn in {"user", "heartbeat", "cli"} else "user",
        workspace_writable=(case.get("workspaceAccess") or "rw") == "rw",
        incognito=bool(case.get("incognito")) or turn == "incognito",
        transcript_bytes=case.get("transcriptBytes") or 0,
    )
    return {"flush": decision.outcome == "flush"}


def settings_of(case: dict) -> CompactionSettings:
    return parse_compaction_fields(case.get("compaction") or {}, "compaction")


OPS: dict[str, Callable[[dict], object]] = {"cut": ask_cut, "trigger": ask_trigger, "flush": ask_flush}
