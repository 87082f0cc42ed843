"""Which part of a branch is in view: the compaction in force, what it kept, what came after (TRANS-12, LOSS-9).

The newest compaction is in force, unless it undoes another one. An *undo* is itself a compaction, one that restores
what was before: its summary and first kept entry are those of the compaction before the undone one, or an empty
summary and the first entry of all. So history stays append-only, and any reader of the format, this one or not,
comes to the right context. Its `details` are ``{"undoes": <id>, "restores": <id or null>}``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from instar.core.model.entry import AnyEntry, CompactionEntry

__all__ = ["Span", "find_kept", "find_span", "undone_compaction"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Which part of a branch is in view: `compaction` in force (None without one), carried entries from place
    `start` up to it, items from place `after` on.
    """

    compaction: CompactionEntry | None
    start: int
    after: int


def find_span(entries: Sequence[AnyEntry]) -> Span:
    """The part of a branch (root first, or from the first kept entry on) that is in view."""
    newest = _last_compaction(entries)
    if newest is None:
        return Span(compaction=None, start=0, after=0)
    at, compaction = newest
    start = find_kept(entries[:at], compaction)
    if undone_compaction(compaction) is not None:
        restored = _detail(compaction, "restores")
        if restored is None:
            return Span(compaction=None, start=0, after=0)
        for index, entry in enumerate(entries[:at]):
            if entry.id == restored and isinstance(entry, CompactionEntry):
                return Span(compaction=entry, start=start, after=index + 1)
    return Span(compaction=compaction, start=start, after=at + 1)


def _last_compaction(entries: Sequence[AnyEntry]) -> tuple[int, CompactionEntry] | None:
    for index in range(len(entries) - 1, -1, -1):
        entry = entries[index]
        if isinstance(entry, CompactionEntry):
            return index, entry
    return None


def find_kept(entries: Sequence[AnyEntry], compaction: CompactionEntry) -> int:
    """The place of the first kept entry; the end when it is nowhere: then nothing was kept."""
    kept = compaction.first_kept_id
    return next((index for index, entry in enumerate(entries) if entry.id == kept), len(entries))


def undone_compaction(compaction: CompactionEntry) -> str | None:
    """The id of the compaction that this one undoes, None for an ordinary one."""
    return _detail(compaction, "undoes")


def _detail(compaction: CompactionEntry, name: str) -> str | None:
    value = compaction.details.get(name) if isinstance(compaction.details, Mapping) else None
    return value if isinstance(value, str) else None
