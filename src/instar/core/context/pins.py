"""Pins: entries that a compaction never summarises away (LOSS-9).

``/pin`` appends a `custom` entry; nothing else changes:

    {"type": "custom", …, "customType": "instar.pin", "data": {"targetId": "e1", "pinned": true}}

What the model sees of a pinned entry is its words, verbatim. While the entry is in view that is so anyway. When a
compaction leaves it behind, the compaction's `details` carry its line (`pinned`), so that a context can be built
from the compaction on without reading what lies before. For the same reason the pin of an entry that was left
behind earlier carries the line in its data (`line`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from instar.core.model.entry import (
    AnyEntry,
    AssistantMessage,
    CompactionEntry,
    CustomEntry,
    MessageEntry,
    ToolCall,
    ToolResultMessage,
)
from instar.core.transcript.codec import format_entry, parse_entry

__all__ = ["PIN_TYPE", "Pin", "build_pin_data", "carried_pins", "expand_pins", "format_pinned", "parse_pin"]

PIN_TYPE: Final = "instar.pin"
"""The `customType` of pins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One `/pin` or `/unpin`. `entry` is the pinned entry itself where the pin carries it."""

    target_id: str
    pinned: bool
    entry: AnyEntry | None = None


def build_pin_data(target: AnyEntry, *, pinned: bool, in_view: bool) -> dict[str, object]:
    """The data of a pin entry; the line goes along when the model's view no longer holds the target."""
    data: dict[str, object] = {"targetId": target.id, "pinned": pinned}
    if pinned and not in_view:
        data["line"] = format_entry(target)
    return data


def parse_pin(entry: AnyEntry) -> Pin | None:
    """The pin that an entry is, None if it is none."""
    if not isinstance(entry, CustomEntry) or entry.custom_type != PIN_TYPE or not isinstance(entry.data, Mapping):
        return None
    target_id, line = entry.data.get("targetId"), entry.data.get("line")
    if not isinstance(target_id, str):
        return None
    pinned = parse_entry(line) if isinstance(line, dict) else None
    return Pin(target_id=target_id, pinned=entry.data.get("pinned") is not False, entry=pinned)


def carried_pins(compaction: CompactionEntry) -> tuple[AnyEntry, ...]:
    """The pinned entries whose lines a compaction carries."""
    lines = compaction.details.get("pinned") if isinstance(compaction.details, Mapping) else None
    return tuple(parse_entry(line) for line in lines if isinstance(line, dict)) if isinstance(lines, list) else ()


def format_pinned(entries: Sequence[AnyEntry]) -> list[dict[str, object]]:
    """The `pinned` field of a compaction's details."""
    return [format_entry(entry) for entry in entries]


def expand_pins(entries: Sequence[AnyEntry], pins: frozenset[str]) -> tuple[AnyEntry, ...]:
    """The pinned entries among `entries`, in order, each with its partners.

    A call needs its results and a result its call, or a provider refuses the request (COMPACT-12); pinning one of
    them keeps them all.
    """
    if not pins:
        return ()
    group_of_call: dict[str, int] = {}
    groups: list[int] = []
    for index, entry in enumerate(entries):
        group = index
        if isinstance(entry, MessageEntry):
            message = entry.message
            if isinstance(message, ToolResultMessage):
                group = group_of_call.get(message.tool_call_id, index)
            elif isinstance(message, AssistantMessage):
                group_of_call.update((call.id, index) for call in message.content if isinstance(call, ToolCall))
        groups.append(group)
    wanted = {group for entry, group in zip(entries, groups, strict=True) if entry.id in pins}
    return tuple(entry for entry, group in zip(entries, groups, strict=True) if group in wanted)
