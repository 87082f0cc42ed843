"""A transcript as the shadow saw it grow."""

from __future__ import annotations

from dataclasses import dataclass, field

from instar.core.model.entry import AnyEntry, MessageEntry
from instar.core.model.ids import EntryId, SessionId, SessionKey
from instar.core.transcript.text import message_text
from instar.testing.simulate.model import find_marks

__all__ = ["ShadowTranscript", "find_secrets"]


@dataclass(slots=True)
class ShadowTranscript:
    """Its entries, where the next one hangs, and the calls that still wait for a result. `forked` are the ids of those
    that are copies from above a thread, `brought` the secrets of other places that came with them.
    """

    session_id: SessionId
    key: SessionKey
    opened_by: str
    entries: list[AnyEntry] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    open_calls: set[str] = field(default_factory=set)
    leaf_id: EntryId | None = None
    forked: frozenset[str] = frozenset()
    brought: frozenset[str] = frozenset()
    is_closed: bool = False
    is_removed: bool = False

    def branch(self, leaf_id: EntryId | None) -> list[AnyEntry]:
        """The entries from the root to a leaf."""
        by_id = {entry.id: entry for entry in self.entries}
        found: list[AnyEntry] = []
        while leaf_id is not None and leaf_id in by_id:
            found.append(by_id[leaf_id])
            leaf_id = by_id[leaf_id].parent_id
        return found[::-1]


def find_secrets(entry: AnyEntry) -> set[str]:
    """The secrets of places in an entry."""
    words = message_text(entry.message) if isinstance(entry, MessageEntry) else str(entry)
    return set(find_marks(words, "s"))
