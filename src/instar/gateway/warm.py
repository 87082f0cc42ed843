"""What the model sees of one session, kept warm between its turns (SCALE-6).

A lane reads the transcript once, from the kept part of the newest compaction on, and then follows each commit, so a
turn costs the same in a session of ten entries and of a hundred thousand. Whenever the commit did not hang where the
view ends (somebody injected a line, a branch moved), the view is dropped and read again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import tzinfo
from typing import overload

from instar.core.context.build import apply_entry, build_view
from instar.core.context.envelope import read_envelope
from instar.core.context.render import render_messages
from instar.core.context.view import ContextView, entry_message
from instar.core.model.change import Changed
from instar.core.model.entry import AnyEntry, AnyMessage, UserMessage
from instar.core.model.ids import SessionId
from instar.ports.store import Store

__all__ = ["ViewMessages", "WarmContext"]


class ViewMessages(Sequence[AnyMessage]):
    """The messages of a view as a provider accepts them (TRANS-20, TRANS-21), worked out when first read as a whole.

    The newest one is known without that, so a runner that looks at nothing else (the echo) costs nothing.
    """

    def __init__(self, view: ContextView, zone: tzinfo) -> None:
        self._view = view
        self._zone = zone
        self._messages: tuple[AnyMessage, ...] | None = None

    def _all(self) -> tuple[AnyMessage, ...]:
        if self._messages is None:
            repaired = render_messages(self._view.messages(), self._zone)
            self._messages = tuple(placed.message for placed in repaired.messages)
        return self._messages

    def __len__(self) -> int:
        return len(self._all())

    def __iter__(self) -> Iterator[AnyMessage]:
        return iter(self._all())

    @overload
    def __getitem__(self, index: int) -> AnyMessage: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[AnyMessage]: ...

    def __getitem__(self, index: int | slice) -> AnyMessage | Sequence[AnyMessage]:
        if index == -1 and self._messages is None and len(self._view.items):
            newest = entry_message(self._view.items[-1].entry)
            if isinstance(newest, UserMessage) and read_envelope(newest) is None:
                return newest
        return self._all()[index]


class WarmContext:
    """The context of one session key. Not shared between lanes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._session_id: SessionId | None = None
        self._view: ContextView | None = None

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

    def messages(self, zone: tzinfo) -> ViewMessages:
        """What the model is sent; `zone` is the one in which people read times."""
        return ViewMessages(self.view, zone)

    def follow(self, changed: Changed) -> None:
        """Follow a commit; the view is dropped when it cannot."""
        head = changed.transcript
        if head is None:
            return
        if changed.change.open is not None:
            self._session_id, self._view = head.session_id, ContextView()
        if self._view is None or head.session_id != self._session_id:
            return
        view: ContextView | None = self._view
        for entry in changed.change.entries:
            view = apply_entry(view, entry) if view is not None else None
        self._view = view if view is not None and view.leaf_id == head.leaf_id else None

    def forget(self) -> None:
        """Read anew at the next load."""
        self._view = None
