"""The transaction of a start: a new fence, and what the last run left unfinished (LOSS-4, LOSS-5)."""

from __future__ import annotations

from instar.core.model.ids import DeliveryId, Instant
from instar.core.model.query import Recovered
from instar.stores.change import FENCE
from instar.stores.inbox import load_left_out, load_open_inbox
from instar.stores.outbox import follow_clock
from instar.stores.transaction import Transaction

__all__ = ["recover"]


def recover(tx: Transaction, *, now: Instant) -> Recovered:
    """Take over: every older gateway's writes are refused from here on.

    Replies that were on their way become `unknown`; those that were unknown before are told again, since whoever
    should have looked after them may have died in between.
    """
    row = tx.one("load_meta", {"name": FENCE})
    fence = 1 + (int(row[0]) if row is not None else 0)
    tx.known.forget_all()
    tx.run("save_meta", {"name": FENCE, "value": str(fence)})
    tx.run("doubt_deliveries", {})
    follow_clock(tx, now=now)
    unknown = tuple(DeliveryId(delivery_id) for (delivery_id,) in tx.all("list_unknown_deliveries", {}))
    return Recovered(
        fence=fence,
        running=load_open_inbox(tx, "running"),
        waiting=load_open_inbox(tx, "waiting"),
        unknown=unknown,
        left_out=load_left_out(tx),
    )
