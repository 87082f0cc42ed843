"""What a session's window holds now, for `/status` and `/context` (STATUS-3, WHY-7, PRUNE-20)."""

from __future__ import annotations

from dataclasses import replace

from instar.core.context.build import build_view
from instar.core.context.tokens import NOTHING, ContextEstimate, before_pruning
from instar.core.model.query import DecisionQuery
from instar.core.model.session import Session
from instar.errors import NotFound
from instar.gateway.parts import GatewayParts

__all__ = ["load_window"]


async def load_window(parts: GatewayParts, session: Session | None) -> ContextEstimate:
    """The tokens, who counted them and when; as they are without the pruning of single requests."""
    if session is None:
        return NOTHING
    known = session.counters.total_tokens
    try:
        page = await parts.store.load_context(session.session_id)
    except NotFound:
        return replace(NOTHING, tokens=known)
    estimate = build_view([stored.entry for stored in page.entries]).context
    estimate = replace(estimate, tokens=max(estimate.tokens, known))
    if estimate.measured_at is None:
        return estimate
    query = DecisionQuery(session_key=session.key, kind="prune", since=estimate.measured_at, limit=1)
    newest = next(iter(await parts.store.load_decisions(query)), None)
    inputs = newest.decision.inputs if newest else {}
    before, after = inputs.get("charsBefore"), inputs.get("charsAfter")
    return before_pruning(
        estimate,
        pruned_at=newest.at if newest else None,
        chars_before=before if isinstance(before, int) else 0,
        chars_after=after if isinstance(after, int) else 0,
    )
