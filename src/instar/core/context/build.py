"""The context of a model: which entries of a branch it sees, in which order (TRANS-12, TRANS-13, TRANS-19).

A `ContextView` is built from a branch once (`build_view`), then follows entry by entry (`apply_entry`) at a cost
that does not grow with the session; both ways give equal views. It keeps the sums that decisions ask for, so that
asking costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

from instar.core.context.log import AppendLog
from instar.core.context.pins import Pin, carried_pins, parse_pin
from instar.core.context.span import find_kept, find_span, undone_compaction
from instar.core.context.tokens import ContextEstimate, estimate_entry, measured_tokens
from instar.core.context.view import ContextItem, ContextView
from instar.core.model.entry import AnyEntry, AssistantMessage, CompactionEntry, MessageEntry, OtherMessage
from instar.core.model.ids import EntryId, Instant
from instar.core.transcript.injected import is_model_answer

__all__ = ["apply_entry", "build_view"]


def build_view(entries: Sequence[AnyEntry]) -> ContextView:
    """The view of a branch, root first.

    The part from the first kept entry of the newest compaction on is enough: what lies before is not seen.
    """
    span = find_span(entries)
    growing = _Growing()
    if span.compaction is not None:
        growing.compact(span.compaction, entries[span.start : span.after - 1])
    for entry in entries[span.after :]:
        growing.add(entry)
    return growing.view(entries[-1].id if entries else None)


def apply_entry(view: ContextView, entry: AnyEntry) -> ContextView | None:
    """The view with one more entry at its leaf.

    None means that the view cannot follow and must be built anew: after a branch move, for an undo, or when what a
    compaction keeps does not begin in the view.
    """
    if entry.parent_id != view.leaf_id:
        return None
    growing = _Growing.of(view)
    if isinstance(entry, CompactionEntry):
        kept = list(view.entries())
        start = find_kept(kept, entry)
        if undone_compaction(entry) is not None or start == len(kept):
            return None
        growing.compact(entry, kept[start:])
    else:
        growing.add(entry)
    return growing.view(entry.id)


@dataclass(slots=True, kw_only=True)
class _Growing:
    """A view while entries are added to it; the fields are those of `ContextView`."""

    compaction: CompactionEntry | None = None
    pinned: tuple[AnyEntry, ...] = ()
    carried: tuple[ContextItem, ...] = ()
    items: AppendLog[ContextItem] = field(default_factory=AppendLog)
    pins: set[str] = field(default_factory=set)
    estimated: int = 0
    tokens: int = 0
    measured: int = 0
    measured_at: Instant | None = None
    message_count: int = 0
    last_call_at: Instant | None = None

    @classmethod
    def of(cls, view: ContextView) -> _Growing:
        """A view taken up again."""
        return cls(
            compaction=view.compaction,
            pinned=view.pinned,
            carried=view.carried,
            items=view.items,
            pins=set(view.pins),
            estimated=view.estimated,
            tokens=view.context.tokens,
            measured=view.context.measured,
            measured_at=view.context.measured_at,
            message_count=view.message_count,
            last_call_at=view.last_call_at,
        )

    def view(self, leaf_id: EntryId | None) -> ContextView:
        """The finished view."""
        return ContextView(
            leaf_id=leaf_id,
            compaction=self.compaction,
            pinned=self.pinned,
            carried=self.carried,
            items=self.items,
            pins=frozenset(self.pins),
            estimated=self.estimated,
            context=ContextEstimate(tokens=self.tokens, measured=self.measured, measured_at=self.measured_at),
            message_count=self.message_count,
            last_call_at=self.last_call_at,
        )

    def compact(self, compaction: CompactionEntry, kept: Sequence[AnyEntry]) -> None:
        """Start over from a compaction and what it kept."""
        items = [_item(entry) for entry in kept if not isinstance(entry, CompactionEntry)]
        shown = {item.entry.id for item in items}
        carried = carried_pins(compaction)
        self.compaction = compaction
        self.pinned = tuple(entry for entry in carried if entry.id not in shown)
        self.carried = tuple(items)
        self.items = AppendLog()
        self.pins = {entry.id for entry in carried}
        self.estimated = estimate_entry(compaction) + sum(map(estimate_entry, self.pinned))
        self.estimated += sum(item.tokens for item in items)
        self.message_count = 1
        self.last_call_at = None
        for item in items:
            self._note_call(item.entry)
            if pin := parse_pin(item.entry):
                self._mark(pin)
        self._forget_measure()

    def add(self, entry: AnyEntry) -> None:
        """Add one entry behind the others; a compaction met here is one that was undone, or the undo itself."""
        if isinstance(entry, CompactionEntry):
            self._forget_measure()
            return
        item = _item(entry)
        self.items = self.items.append(item)
        self._grow(item.tokens)
        if not isinstance(entry, MessageEntry):
            self._add_pin(entry)
            return
        self._note_call(entry)
        message = entry.message
        self.message_count += not isinstance(message, OtherMessage)
        if counted := measured_tokens(message):
            self.tokens = self.measured = counted
            self.measured_at = message.timestamp if isinstance(message, AssistantMessage) else None

    def _grow(self, tokens: int) -> None:
        self.estimated += tokens
        self.tokens = max(0, self.tokens + tokens)

    def _forget_measure(self) -> None:
        """What a provider counted before holds no more: the context is another one now."""
        self.tokens, self.measured, self.measured_at = self.estimated, 0, None

    def _note_call(self, entry: AnyEntry) -> None:
        if isinstance(entry, MessageEntry) and isinstance(entry.message, AssistantMessage):
            at = entry.timestamp if entry.timestamp is not None else entry.message.timestamp
            if at is not None and is_model_answer(entry.message):
                self.last_call_at = at

    def _add_pin(self, entry: AnyEntry) -> None:
        pin = parse_pin(entry)
        if pin is None:
            return
        self._mark(pin)
        others = tuple(known for known in self.pinned if known.id != pin.target_id)
        if not pin.pinned:
            self._grow(sum(map(estimate_entry, others)) - sum(map(estimate_entry, self.pinned)))
            self.pinned = others
        elif pin.entry is not None and len(others) == len(self.pinned) and not self._shows(pin.target_id):
            self._grow(estimate_entry(pin.entry))
            self.pinned = (*self.pinned, pin.entry)

    def _mark(self, pin: Pin) -> None:
        (self.pins.add if pin.pinned else self.pins.discard)(pin.target_id)

    def _shows(self, entry_id: str) -> bool:
        return any(item.entry.id == entry_id for item in chain(self.carried, self.items))


def _item(entry: AnyEntry) -> ContextItem:
    return ContextItem(entry=entry, tokens=estimate_entry(entry))
