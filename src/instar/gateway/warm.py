"""What the model sees of one session, kept warm between its turns (SCALE-6).

A lane reads the transcript once, from the kept part of the newest compaction on, and then follows each commit, so a
turn costs the same in a session of ten entries and of a hundred thousand. Whenever the commit did not hang where the
view ends (somebody injected a line, a branch moved), the view is dropped and read again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from instar.core.context.build import apply_entry, build_view
from instar.core.context.outcome import Compacted
from instar.core.context.view import ContextView
from instar.core.model.change import Changed
from instar.core.model.entry import AnyEntry
from instar.core.model.ids import SessionId
from instar.ports.store import Store

__all__ = ["WarmContext"]


class WarmContext:
    """The context of one session key, not shared between lanes; `compacting` is a compaction that is under way."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._session_id: SessionId | None = None
        self._view: ContextView | None = None
        self.compacting: asyncio.Future[Compacted | None] | None = None

    async def load(self, session_id: SessionId) -> ContextView:
        """The view of a session's active branch, read from the store unless it is warm."""
        if self._view is None or self._session_id != session_id:
            page = await self._store.load_context(session_id)
            self._view = build_view([stored.entry for stored in page.entries])
            self._session_id = session_id
        return self._view

    @property
    def view(self) -> ContextView:
        """The view as it was last loaded and followed; empty before the first load."""
        return self._view if self._view is not None else ContextView()

    @property
    def entries(self) -> Sequence[AnyEntry]:
        """The entries in view, oldest first."""
        return tuple(self.view.entries())

    def follow(self, changed: Changed) -> None:
        """Follow a commit; the view is dropped when it cannot."""
        head = changed.transcript
        if head is None:
            return
        # What a run beside others holds is not in the transcript yet (QUEUE-9).
        entries = changed.change.entries if changed.change.held_by is None else ()
        if changed.change.open is not None:
            self._session_id, self._view = head.session_id, ContextView()
        if self._view is None or head.session_id != self._session_id:
            return
        view: ContextView | None = self._view
        for entry in (*changed.change.forked, *entries):
            view = apply_entry(view, entry) if view is not None else None
        self._view = view if view is not None and view.leaf_id == head.leaf_id else None

    def forget(self) -> None:
        """Read anew at the next load."""
        self._view = None
