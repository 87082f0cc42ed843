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

from instar.core.context.turns import split_turns, starts_turn
from instar.core.context.view import ContextItem, entry_message
from instar.core.model.entry import (
    AnyEntry,
    AssistantMessage,
    BranchSummaryEntry,
    CustomMessageEntry,
    MessageEntry,
    ToolCall,
    ToolResultMessage,
)

__all__ = ["Cut", "find_cut", "spare_open_turn"]


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
    reached = _walk_back(items, keep_tokens=keep_tokens, keep_messages=keep_messages)
    found = _find_point(items, range(reached, len(items)))
    if found is None:
        found = _find_point(items, range(reached - 1, -1, -1))
    if found is None:
        return None
    point = _with_calls(items, found)
    index = _with_settings(items, point)
    if starts_turn(items[point].entry):
        return Cut(index=index)
    start = next((at for at in range(point - 1, -1, -1) if starts_turn(items[at].entry)), None)
    return Cut(index=index, turn_start=start if start is not None and start < index else None)


def spare_open_turn(items: Sequence[ContextItem], cut: Cut) -> Cut:
    """The cut, moved back where it would part a turn that still waits for its answer (HIST-4, COMPACT-6).

    Whoever asked in that turn asked in these words, and no record of them stands for the question itself.
    """
    seen = [(place, message) for place, item in enumerate(items) if (message := entry_message(item.entry)) is not None]
    turns = split_turns(message for _, message in seen)
    if not turns or turns[-1].is_closed:
        return cut
    start = seen[turns[-1].start][0]
    return cut if cut.index <= start else Cut(index=_with_settings(items, _with_calls(items, start)))


def _find_point(items: Sequence[ContextItem], places: range) -> int | None:
    return next((index for index in places if _is_cut_point(items[index].entry)), None)


def _is_cut_point(entry: AnyEntry) -> bool:
    if isinstance(entry, MessageEntry):
        return not isinstance(entry.message, ToolResultMessage)
    return isinstance(entry, CustomMessageEntry | BranchSummaryEntry)


def _walk_back(items: Sequence[ContextItem], *, keep_tokens: int, keep_messages: int | None) -> int:
    """The place at which enough messages are gathered, 0 if all of them are not enough (COMPACT-8)."""
    tokens = messages = 0
    for index in range(len(items) - 1, -1, -1):
        if isinstance(items[index].entry, MessageEntry):
            tokens += items[index].tokens
            messages += 1
            if tokens >= keep_tokens or messages == keep_messages:
                return index
    return 0


def _with_calls(items: Sequence[ContextItem], point: int) -> int:
    """The cut moved back so that every kept result has its call (COMPACT-12).

    The walk goes back from the end, gathering results that wait for their call; it goes on below the cut only while
    a kept one waits. A call found there takes the cut with it, and the results that were passed on the way become
    kept ones that wait, too.
    """
    waiting: set[str] = set()
    passed: set[str] = set()
    for index in range(len(items) - 1, -1, -1):
        if index < point and not waiting:
            break
        entry = items[index].entry
        message = entry.message if isinstance(entry, MessageEntry) else None
        if isinstance(message, ToolResultMessage):
            (waiting if index >= point else passed).add(message.tool_call_id)
        elif isinstance(message, AssistantMessage):
            calls = {block.id for block in message.content if isinstance(block, ToolCall)}
            passed -= calls
            if index < point and waiting & calls:
                point = index
                waiting |= passed
                passed = set()
            waiting -= calls
    return point


def _with_settings(items: Sequence[ContextItem], point: int) -> int:
    """The cut moved back over entries that are no messages, so that settings stay with the kept part (COMPACT-9)."""
    while point > 0 and not isinstance(items[point - 1].entry, MessageEntry):
        point -= 1
    return point
