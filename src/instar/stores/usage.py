"""Questions about the usage ledger (LOSS-11, COST-1). Lines are booked by `instar.stores.change`."""

from __future__ import annotations

from instar.core.model.ids import Instant, SessionKey, TurnId
from instar.core.model.query import UsageRow
from instar.stores.rows import read_usage
from instar.stores.transaction import Transaction

__all__ = ["sum_turn_outputs", "sum_usage"]


def sum_usage(tx: Transaction, *, session_key: SessionKey | None, since: Instant | None) -> tuple[UsageRow, ...]:
    """Sums by agent, provider and model; of one session, and since a moment, where given."""
    if session_key is None:
        rows = tx.all("sum_usage", {"since": since or 0})
    else:
        rows = tx.all("sum_usage_of_session", {"session_key": session_key, "since": since or 0})
    return tuple(map(read_usage, rows))


def sum_turn_outputs(tx: Transaction, *, since: Instant) -> dict[TurnId, int]:
    """The tokens that models wrote in each turn since a moment; summaries and flushes are no answers."""
    return dict(tx.all("sum_turn_outputs", {"since": since}))
