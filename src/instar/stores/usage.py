"""Questions about the usage ledger (LOSS-11, COST-1). Lines are booked by `instar.stores.change`."""

from __future__ import annotations

from collections.abc import Sequence

from instar.core.model.ids import Instant, SessionKey, TurnId
from instar.core.model.query import SpendingQuery, SpendingSum, UsageRow
from instar.stores.rows import format_json, read_usage
from instar.stores.transaction import Params, Transaction

__all__ = ["sum_spending", "sum_turn_outputs", "sum_usage"]

_FOREVER = 1 << 62
"""After every moment."""


def sum_usage(
    tx: Transaction, *, session_key: SessionKey | None, since: Instant | None, owner_in: Sequence[str] | None = None
) -> tuple[UsageRow, ...]:
    """Sums by agent, provider and model; of one session, of what a principal sees, and since a moment, where given."""
    if session_key is None and owner_in is not None:
        rows = tx.all("sum_usage_seen", {"since": since or 0, "owners": format_json(owner_in)})
    elif session_key is None:
        rows = tx.all("sum_usage", {"since": since or 0})
    else:
        rows = tx.all("sum_usage_of_session", {"session_key": session_key, "since": since or 0})
    return tuple(map(read_usage, rows))


def sum_spending(tx: Transaction, query: SpendingQuery) -> SpendingSum:
    """US dollars that a budget counts; calls without a price count nothing.

    One statement, so that the sum is that of all lines up to the newest one that it tells.
    """
    prefix = query.key_prefix
    params: Params = {
        "since": query.since,
        "until": _FOREVER if query.until is None else query.until,
        "session_key": query.session_key,
        "session_id": query.session_id,
        "after_line": query.after_line,
        "agent": query.agent,
        "person": query.person,
        "channel": query.channel,
        "provider": query.provider,
        "model": query.model,
        "key_from": prefix,
        "key_to": None if prefix is None else f"{prefix}\U0010ffff",
    }
    row = tx.one(_choose_sum(query), params)
    return SpendingSum(usd=float(row[0]), last_line=int(row[1])) if row is not None else SpendingSum(usd=0, last_line=0)


def _choose_sum(query: SpendingQuery) -> str:
    """The name of the statement that answers a question."""
    if query.session_id is not None:
        return "sum_spending_of_life_later" if query.after_line else "sum_spending_of_life"
    if query.session_key is not None:
        return "sum_spending_of_session"
    return "sum_spending_later" if query.after_line else "sum_spending"


def sum_turn_outputs(tx: Transaction, *, since: Instant) -> dict[TurnId, int]:
    """The tokens that models wrote in each turn since a moment; summaries and flushes are no answers."""
    return dict(tx.all("sum_turn_outputs", {"since": since}))
