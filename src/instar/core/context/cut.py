"""Where a compaction cuts: what is summarised, what stays verbatim (COMPACT-7 to COMPACT-12).

The walk goes back from the newest entry until enough is gathered to be kept; the cut is the next place that may be
one. A cut inside a turn splits it: what stands before the turn is *history*, the turn's own beginning is *prefix*,
and both are summarised apart.

    u0 a1 u2 a3 │ r4 a5 u6        keep ≥ r4…u6
                └ no cut at a result: the next place is a5
    history u0 a1 · prefix u2 a3 r4 · kept a5 u6

A call and its results are never parted: where the place found would do that, the cut moves back to the call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from instar.core.context.view import ContextItem
from instar.core.model.entry import (
    AnyEntry,
    AssistantMessage,
    BranchSummaryEntry,
    CustomMessageEntry,
    MessageEntry,
    OtherMessage,
    ToolCall,
    ToolResultMessage,
    UserMessage,
)

__all__ = ["Cut", "find_cut"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Entries from place `index` on are kept. `turn_start` is the place of the turn that is split, None if none is."""

    index: int
    turn_start: int | None = None

    @property
    def history_end(self) -> int:
        """Entries before this place are history; from here to `index` they are the prefix of the split turn."""
        return self.index if self.turn_start is None else self.turn_start


def find_cut(items: Sequence[ContextItem], *, keep_tokens: int, keep_messages: int | None = None) -> Cut | None:
    """Where to cut the entries after the last compaction; None when there is no place for a cut.

    A cut at place 0 without a split summarises nothing. `keep_messages` ends the walk after so many messages, too
    (HIST-4).
    """
    points = [index for index, item in enumerate(items) if _is_cut_point(item.entry)]
    if not points:
        return None
    reached = _walk_back(items, keep_tokens=keep_tokens, keep_messages=keep_messages)
    if reached is None:
        point = points[0]
    else:
        point = next((index for index in points if index >= reached), points[-1])
    point = _with_calls(items, point)
    index = _with_settings(items, point)
    if _starts_turn(items[point].entry):
        return Cut(index=index)
    start = next((at for at in range(point - 1, -1, -1) if _starts_turn(items[at].entry)), None)
    return Cut(index=index, turn_start=start if start is not None and start < index else None)


def _is_cut_point(entry: AnyEntry) -> bool:
    if isinstance(entry, MessageEntry):
        return not isinstance(entry.message, ToolResultMessage)
    return isinstance(entry, CustomMessageEntry | BranchSummaryEntry)


def _starts_turn(entry: AnyEntry) -> bool:
    if isinstance(entry, MessageEntry):
        message = entry.message
        is_shell_run = isinstance(message, OtherMessage) and message.role == "bashExecution"
        return is_shell_run or isinstance(message, UserMessage)
    return isinstance(entry, CustomMessageEntry | BranchSummaryEntry)


def _walk_back(items: Sequence[ContextItem], *, keep_tokens: int, keep_messages: int | None) -> int | None:
    """The place at which enough messages are gathered, None if all of them are not enough (COMPACT-8)."""
    tokens = messages = 0
    for index in range(len(items) - 1, -1, -1):
        if isinstance(items[index].entry, MessageEntry):
            tokens += items[index].tokens
            messages += 1
            if tokens >= keep_tokens or messages == keep_messages:
                return index
    return None


def _with_calls(items: Sequence[ContextItem], point: int) -> int:
    """The cut moved back so that every kept result has its call (COMPACT-12)."""
    newest: dict[str, int] = {}
    call_of: dict[int, int] = {}
    for index, item in enumerate(items):
        message = item.entry.message if isinstance(item.entry, MessageEntry) else None
        if isinstance(message, AssistantMessage):
            newest.update((block.id, index) for block in message.content if isinstance(block, ToolCall))
        elif isinstance(message, ToolResultMessage):
            call_of[index] = newest.get(message.tool_call_id, index)
    # Moving back may take in further results, so the walk goes on below the first cut.
    index = len(items)
    while index > point:
        index -= 1
        point = min(point, call_of.get(index, index))
    return point


def _with_settings(items: Sequence[ContextItem], point: int) -> int:
    """The cut moved back over entries that are no messages, so that settings stay with the kept part (COMPACT-9)."""
    while point > 0 and not isinstance(items[point - 1].entry, MessageEntry):
        point -= 1
    return point
