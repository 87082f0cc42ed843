"""Transactions about replies: owed, handed out, settled (LOSS-5).

A reply is `pending` until its channel takes it, `sending` until the channel tells what became of it, then `sent`,
`failed`, `suppressed` or `dropped` for good. `unknown` means that the process died in between; a reply may come back
from there. Invariant: a reply that has ended never moves again.

`next_at` is when a reply that was put off is due; one that was not has none, and is due at once. A moment would be
that of a clock which may be set back before anybody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from instar.core.model.change import DeliveryState, NewDelivery, Noted
from instar.core.model.decision import Decision
from instar.core.model.ids import ChannelName, DeliveryId, Instant, SessionKey
from instar.core.model.message import Inbound, Outbound
from instar.core.model.query import DeliveryRow
from instar.stores.decisions import record_decisions
from instar.stores.rows import format_json, read_delivery
from instar.stores.transaction import Transaction

__all__ = [
    "add_deliveries",
    "answers_own_message",
    "claim_deliveries",
    "drop_deliveries",
    "due_channels",
    "follow_clock",
    "load_deliveries",
    "redo_delivery",
    "settle_delivery",
]

_PUT_OFF_MAX_MS: Final = 3_600_000
"""The longest that a platform makes a reply wait; the gateway's own waits are shorter."""

_PUT_OFF_AT: Final = "put_off_at"
"""The name in `meta` of the latest moment at which a reply was put off."""

_OPEN: Final = ("pending", "sending", "unknown")


def add_deliveries(tx: Transaction, deliveries: Sequence[NewDelivery], *, key: SessionKey, now: Instant) -> None:
    """Owe replies; one that is owed already changes nothing."""
    for delivery in deliveries:
        tx.run(
            "insert_delivery",
            {
                "delivery_id": delivery.delivery_id,
                "session_key": key,
                "channel": delivery.target.channel,
                "target": format_json(delivery.target),
                "text": delivery.text,
                "turn_id": delivery.turn_id,
                "state": delivery.state,
                "reason": delivery.reason,
                "at": now,
                "ended_at": None if delivery.state in _OPEN else now,
            },
        )


def claim_deliveries(
    tx: Transaction, channel: ChannelName, *, limit: int, now: Instant, again: bool
) -> tuple[Outbound, ...]:
    """Hand out replies that are due, oldest first; with `again` those under way come first, once more."""
    claimed: list[Outbound] = []
    for state in ("sending", "pending") if again else ("pending",):
        params = {"channel": channel, "state": state, "now": now, "limit": limit - len(claimed)}
        for seq, *columns in tx.all("find_due_deliveries", params):
            row = read_delivery(tuple(columns))
            tx.run("hand_out_delivery", {"seq": seq})
            claimed.append(
                Outbound(
                    delivery_id=row.outbound.delivery_id,
                    target=row.outbound.target,
                    text=row.outbound.text,
                    attempt=row.hand_outs + 1,
                )
            )
    return tuple(claimed)


def settle_delivery(
    tx: Transaction,
    delivery_id: DeliveryId,
    *,
    channel: ChannelName,
    state: DeliveryState,
    now: Instant,
    platform_id: str | None,
    reason: str | None,
    next_at: Instant | None,
    decision: Decision | None,
) -> bool:
    """Record what became of a reply; False when the channel owes no such one."""
    row = tx.one("find_delivery", {"delivery_id": delivery_id, "channel": channel})
    if row is None:
        return False
    _, key, turn_id, ended_at = row
    if ended_at is not None:
        return True
    tx.run(
        "settle_delivery",
        {
            "delivery_id": delivery_id,
            "state": state,
            "platform_id": platform_id,
            "reason": reason and tx.redactor.text(reason),  # a platform's own words, which may quote our token
            "next_at": next_at,
            "ended_at": None if state in _OPEN else now,
        },
    )
    if next_at is not None:
        _note_clock(tx, now)
    if decision is not None:
        record_decisions(tx, [Noted(decision=decision, turn_id=turn_id)], key=key, now=now)
    return True


def _note_clock(tx: Transaction, now: Instant) -> None:
    """Keep the latest moment, by the clock of then, at which a reply was put off: `follow_clock` looks at it."""
    row = tx.one("load_meta", {"name": _PUT_OFF_AT})
    if row is None or int(row[0]) < now:
        tx.run("save_meta", {"name": _PUT_OFF_AT, "value": str(now)})


def follow_clock(tx: Transaction, *, now: Instant) -> None:
    """After a start, let no reply wait longer than it was put off for, also where the clock was set back since.

    What was put off lies in the past. Where it does not, the clock was set back by at least the difference, and every
    reply that was put off is due earlier by as much. One that is due later than anybody would put it off is due now.
    """
    row = tx.one("load_meta", {"name": _PUT_OFF_AT})
    ahead_ms = int(row[0]) - now if row is not None else 0
    if ahead_ms > 0:
        tx.run("bring_deliveries_forward", {"by": ahead_ms})
        tx.run("save_meta", {"name": _PUT_OFF_AT, "value": str(now)})
    tx.run("hasten_deliveries", {"latest": now + _PUT_OFF_MAX_MS})


def answers_own_message(tx: Transaction, inbound: Inbound) -> bool:
    """Whether a message answers one that was sent in its chat, by what the receipt said it is called there (ACT-4).

    Ids of messages are unique in a chat, not always on a platform, so the chat is compared as well. In which thread of
    it the two stand is not: an answer may open one.
    """
    if inbound.reply_to_id is None:
        return False
    where = {"channel": inbound.channel, "account_id": inbound.account_id, "to": inbound.chat.id}
    return tx.one("find_own_message", {**where, "platform_id": inbound.reply_to_id}) is not None


def drop_deliveries(tx: Transaction, key: SessionKey, *, reason: str, now: Instant) -> None:
    """End what is owed to a session that goes away, and forget the words of all its replies."""
    tx.run("drop_deliveries", {"session_key": key, "reason": reason, "at": now})
    tx.run("forget_replies", {"session_key": key})


def load_deliveries(
    tx: Transaction, *, session_key: SessionKey | None, state: DeliveryState | None, limit: int
) -> tuple[DeliveryRow, ...]:
    """Replies of a session or of all, newest first."""
    if session_key is None:
        rows = tx.all("list_deliveries", {"state": state, "limit": limit})
    else:
        rows = tx.all("list_deliveries_of_session", {"session_key": session_key, "state": state, "limit": limit})
    return tuple(read_delivery(row) for row in rows)


def due_channels(tx: Transaction) -> tuple[tuple[ChannelName, Instant], ...]:
    """Channels that owe replies, with the moment at which the first of them is due; 0 for at once."""
    return tuple((ChannelName(channel), Instant(at)) for channel, at in tx.all("due_channels", {}))


def redo_delivery(
    tx: Transaction,
    delivery_id: DeliveryId,
    *,
    now: Instant,
    decide: Callable[[DeliveryRow], tuple[DeliveryState, Decision]],
) -> DeliveryRow | None:
    """Carry out what a person decides about a reply; the reply as it was, None if there is none."""
    found = tx.one("load_delivery", {"delivery_id": delivery_id})
    if found is None:
        return None
    row = read_delivery(found)
    state, decision = decide(row)
    is_open = state in _OPEN
    tx.run(
        "redo_delivery",
        {
            "delivery_id": delivery_id,
            "state": state,
            "reason": None if is_open else decision.outcome,
            "hand_outs": 0 if is_open else row.hand_outs,
            "ended_at": None if is_open else now,
        },
    )
    record_decisions(tx, [Noted(decision=decision, turn_id=row.turn_id)], key=row.session_key, now=now)
    return row
