"""How what a turn writes gets into its session's transcript: at once, or all together when the turn ends (QUEUE-9).

A turn that has its session for itself writes into the transcript. One that goes on beside others writes under its own
run: each line is committed when it is complete, and when the run ends its lines take their place together. Until then
such a turn sees the transcript as it was when it began, and its own lines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from instar.core.context.build import apply_entry, build_view
from instar.core.context.view import ContextView
from instar.core.model.change import Changed, SessionChange, SessionFacts
from instar.core.model.ids import AgentId, SessionId, SessionKey, TurnId
from instar.core.model.query import SpendingQuery
from instar.core.turn.held import hold_change, place_change
from instar.core.turn.steps import hang_entries
from instar.gateway.turn_services import TurnServices
from instar.gateway.warm import WarmContext
from instar.ports.store import Store

__all__ = ["HeldContext", "RunLines"]


class HeldContext(WarmContext):
    """What a turn beside others sees: the context as it was when it was first asked for, and the turn's own lines."""

    def __init__(self, store: Store, turn_id: TurnId) -> None:
        super().__init__(store)
        self._turn_id = turn_id

    async def load(self, session_id: SessionId) -> ContextView:
        """The view; what other runs write later is not in it."""
        if self._view is None or self._session_id != session_id:
            page = await self._store.load_context(session_id)
            entries = tuple(stored.entry for stored in page.entries)
            held = await self._store.load_held(self._turn_id)
            last_id = entries[-1].id if entries else None
            self._view = build_view([*entries, *hang_entries(held, last_id)])
            self._session_id = session_id
        return self._view

    def follow(self, changed: Changed) -> None:
        """Follow a commit of the turn itself."""
        if self._view is None or changed.change.held_by != self._turn_id:
            return
        view: ContextView | None = self._view
        for entry in hang_entries(changed.change.entries, self._view.leaf_id):
            view = apply_entry(view, entry) if view is not None else None
        self._view = view


class RunLines:
    """What one turn writes. `warm` is what it sees; with `held` its lines wait until it ends."""

    def __init__(
        self,
        services: TurnServices,
        key: SessionKey,
        *,
        agent_id: AgentId,
        turn_id: TurnId,
        shared: WarmContext,
        held: bool,
    ) -> None:
        self._services = services
        self._key = key
        self._agent_id = agent_id
        self._turn_id = turn_id
        self._shared = shared
        self.held = held
        self.warm = HeldContext(services.parts.store, turn_id) if held else shared

    async def write(
        self,
        name: str,
        decide: Callable[[SessionFacts], SessionChange],
        *,
        last: bool = False,
        spending: Sequence[SpendingQuery] = (),
    ) -> Changed:
        """One transaction of the turn, with `last` that of its end; contexts follow it, listeners hear of its messages.

        `decide` knows what the ledger says to `spending`. A store that refuses only makes it late. Raises `FenceLost`.
        """
        decided = self._held(decide, last=last) if self.held else decide
        services = self._services
        changed = await services.insist(lambda: services.change(name, self._key, decided, spending=spending))
        self._shared.follow(changed)
        if self.held:
            self.warm.follow(changed)
        self._services.tell_messages(self._agent_id, changed, turn_id=self._turn_id)
        return changed

    def _held(
        self, decide: Callable[[SessionFacts], SessionChange], *, last: bool
    ) -> Callable[[SessionFacts], SessionChange]:
        def decided(facts: SessionFacts) -> SessionChange:
            change = decide(facts)
            return place_change(change, self._turn_id) if last else hold_change(change, self._turn_id)

        return decided
