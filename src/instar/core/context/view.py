"""What a model sees of a branch, as a value (TRANS-12, TRANS-13, TRANS-19).

    branch       e0  e1  e2  e3  [compaction, kept from e2]  e5  e6
                         └ carried ┘                         └ items ┘
    the model    summary · pinned entries of e0, e1 · e2  e3 · e5  e6

`instar.core.context.build` makes these views.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from instar.core.context.log import AppendLog
from instar.core.context.tokens import NOTHING, ContextEstimate
from instar.core.model.entry import (
    AnyEntry,
    AnyMessage,
    BranchSummaryEntry,
    CompactionEntry,
    CustomMessageEntry,
    MessageEntry,
    OtherMessage,
)
from instar.core.model.ids import EntryId, Instant
from instar.core.transcript.codec import format_entry
from instar.core.transcript.codec_blocks import format_content
from instar.core.transcript.repair import PlacedMessage

__all__ = ["ContextItem", "ContextView", "entry_message", "place_messages"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextItem:
    """An entry of the branch and the estimate of what the model sees of it (0 for entries it does not see)."""

    entry: AnyEntry
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextView:
    """What the model sees of a branch.

    `compaction` is the newest one in force, None without; `pinned` the pinned entries it left behind, verbatim;
    `carried` what it kept; `items` everything after it. `pins` are the ids of all pinned entries.

    `estimated` is the estimate of the whole, `context` what the window holds by the provider's own count where
    there is one since the compaction. `message_count` counts user, assistant and tool-result lines after the
    compaction, plus one for its summary (HIST-3). `last_call_at` is when a provider last answered (PRUNE-5).
    """

    leaf_id: EntryId | None = None
    compaction: CompactionEntry | None = None
    pinned: tuple[AnyEntry, ...] = ()
    carried: tuple[ContextItem, ...] = ()
    items: AppendLog[ContextItem] = field(default_factory=AppendLog)
    pins: frozenset[str] = frozenset()
    estimated: int = 0
    context: ContextEstimate = NOTHING
    message_count: int = 0
    last_call_at: Instant | None = None

    def entries(self) -> Iterator[AnyEntry]:
        """The entries in view, without the compaction and the pinned ones it left behind."""
        return (item.entry for item in chain(self.carried, self.items))

    def count_bytes(self) -> int:
        """The bytes of the lines in view, the compaction's own among them, as a mirror file holds them (COMPACT-6)."""
        return sum(map(_line_bytes, chain([self.compaction] if self.compaction else [], self.entries())))

    def newest_first(self) -> Iterator[AnyEntry]:
        """The same, newest first, each taken up only when it is asked for."""
        return (item.entry for item in chain(reversed(self.items), reversed(self.carried)))

    def messages(self) -> tuple[PlacedMessage, ...]:
        """The messages the model sees, each with its entry; the summary first."""
        return self.head_messages() + self.tail_messages()

    def head_messages(self) -> tuple[PlacedMessage, ...]:
        """The part that stands for what is not in view: the summary and the pinned entries."""
        return place_messages(chain([self.compaction] if self.compaction else [], self.pinned))

    def tail_messages(self) -> tuple[PlacedMessage, ...]:
        """The part that is in view."""
        return place_messages(self.entries())


def place_messages(entries: Iterable[AnyEntry]) -> tuple[PlacedMessage, ...]:
    """The messages by which entries reach the model, in order; entries that do not reach it make none."""
    return tuple(
        PlacedMessage(entry_id=entry.id, message=message)
        for entry in entries
        if (message := entry_message(entry)) is not None
    )


def entry_message(entry: AnyEntry) -> AnyMessage | None:
    """The message by which an entry reaches the model, None if it does not (TRANS-13).

    Summaries and plug-in messages become messages of the roles that transcripts know for them (TRANS-10).
    """
    match entry:
        case MessageEntry():
            return entry.message
        case CompactionEntry():
            return _other("compactionSummary", entry, summary=entry.summary) if entry.summary else None
        case BranchSummaryEntry():
            return _other("branchSummary", entry, summary=entry.summary) if entry.summary else None
        case CustomMessageEntry():
            content = format_content(entry.content)
            return _other("custom", entry, customType=entry.custom_type, content=content, display=entry.display)
        case _:
            return None


def _line_bytes(entry: AnyEntry) -> int:
    text = json.dumps(format_entry(entry), ensure_ascii=False, separators=(",", ":"))
    return len(text.encode(errors="surrogatepass")) + 1


def _other(role: str, entry: AnyEntry, **fields: object) -> OtherMessage:
    return OtherMessage(role=role, raw={"role": role, **fields, "timestamp": entry.timestamp})
