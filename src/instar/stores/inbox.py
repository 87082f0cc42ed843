"""Transactions about messages: accepted once, ended once (LOSS-1, LOSS-2).

Invariants kept here: one message, one row, one acknowledgement for ever; a message that has ended never moves again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from instar.core.model.change import (
    Acceptance,
    AcceptFacts,
    Acknowledgement,
    InboxChange,
    InboxItem,
    InboxState,
    Noted,
    Submission,
)
from instar.core.model.ids import AccountId, ChannelName, InboundId, Instant, SessionKey, TurnId
from instar.core.model.pairing import PairingFacts, Peer
from instar.errors import InvariantBroken
from instar.stores.decisions import record_decisions
from instar.stores.outbox import add_deliveries, answers_own_message
from instar.stores.owners import add_member
from instar.stores.pairing import load_pairing_facts, save_code
from instar.stores.rows import forget_words, format_json, format_submission, read_acknowledgement, read_inbox_item
from instar.stores.sessions import load_session
from instar.stores.transaction import Params, Transaction

__all__ = [
    "accept",
    "expire_inbox",
    "find_message",
    "load_arrivals",
    "load_inbox",
    "load_left_out",
    "load_observed",
    "load_open_inbox",
    "move_inbound",
    "show_left_out",
]

_OPEN: Final = ("waiting", "running")

_SLICE: Final = 500
"""Messages read at once on the way back in time."""


def accept(
    tx: Transaction,
    submission: Submission,
    *,
    inbound_id: InboundId,
    now: Instant,
    key: SessionKey,
    decide: Callable[[AcceptFacts], Acceptance],
    pairing: Peer | None = None,
) -> tuple[Acknowledgement, InboxItem | None]:
    """Store a message at the door with what its sender is told; a message that is known is only told again."""
    inbound = submission.inbound
    identity = {"channel": inbound.channel, "account_id": inbound.account_id, "message_id": inbound.message_id}
    row = tx.one("find_acknowledgement", identity)
    if row is not None:
        return _again(read_acknowledgement(row[0])), None
    known = PairingFacts() if pairing is None else load_pairing_facts(tx, pairing)
    answers = submission.session_key is None and answers_own_message(tx, inbound)
    session = load_session(tx, key)
    acceptance = decide(
        AcceptFacts(inbound_id=inbound_id, now=now, session=session, pairing=known, answers_agent=answers)
    )
    told = Acknowledgement(
        inbound_id=inbound_id,
        status=acceptance.status,
        session_key=acceptance.session_key,
        reason=acceptance.reason,
        hint=acceptance.hint,
        turn_id=submission.run_id,
    )
    state: InboxState = "waiting" if acceptance.status == "accepted" else acceptance.status
    ended_at = None if state == "waiting" else now
    text, attachments = format_submission(submission)
    columns = {
        **identity,
        "inbound_id": inbound_id,
        "session_key": acceptance.session_key,
        "state": state,
        "turn_id": submission.run_id,
        "reason": acceptance.reason,
        "received_at": now,
        "ended_at": ended_at,
        "acknowledgement": format_json(told),
        "acceptance": format_json(_without_code(acceptance)),
        "submission": text,
        "attachments": attachments,
    }
    seq = tx.one("insert_inbound", columns)
    if seq is None:
        raise InvariantBroken("an accepted message has a place in the order of arrival")
    noted = [Noted(decision=decision, inbound_id=inbound_id) for decision in acceptance.decisions]
    record_decisions(tx, noted, key=acceptance.session_key, now=now)
    if acceptance.code is not None:
        save_code(tx, acceptance.code, now=now)
    owed_key = acceptance.session_key if acceptance.code is None else acceptance.code.session_key
    add_deliveries(tx, acceptance.deliveries, key=owed_key, now=now)
    if acceptance.member is not None:
        add_member(tx, acceptance.session_key, acceptance.member, now=now)
    if state != "waiting":
        return told, None
    item = InboxItem(
        inbound_id=inbound_id,
        seq=seq[0],
        submission=submission,
        acceptance=acceptance,
        received_at=now,
        turn_id=submission.run_id,
    )
    return told, item


def _without_code(acceptance: Acceptance) -> Acceptance:
    """What is kept of a decision: a code stands where it waits, and its sentence where it is owed."""
    return acceptance if acceptance.code is None else replace(acceptance, deliveries=(), code=None)


def _again(told: Acknowledgement) -> Acknowledgement:
    """The same words, marked as told before."""
    return replace(told, repeated=True)


def move_inbound(tx: Transaction, change: InboxChange, *, key: SessionKey, now: Instant) -> None:
    """Give a message its next state. Ending it again in the same way changes nothing; in another way it cannot end."""
    columns = {
        "inbound_id": change.inbound_id,
        "session_key": key,
        "state": change.state,
        "turn_id": change.turn_id,
        "reason": change.reason,
        "ended_at": None if change.state in _OPEN else now,
    }
    if tx.run("move_inbound", columns):
        if change.left_out:
            tx.run("leave_out", {"inbound_id": change.inbound_id})
        return
    row = tx.one("find_inbound_state", {"inbound_id": change.inbound_id})
    if row is None:
        raise InvariantBroken("a message that moves was accepted", why=f"{change.inbound_id} is not in the inbox")
    state, owner = row
    if owner != key:
        raise InvariantBroken("a message moves in its own session", why=f"{change.inbound_id} is not of {key}")
    if state != change.state:
        raise InvariantBroken(
            "a message ends once", why=f"{change.inbound_id} ended as {state} and cannot become {change.state}"
        )


def expire_inbox(tx: Transaction, key: SessionKey, *, reason: str, now: Instant) -> None:
    """End what waits for a session that goes away, and forget the words of all its messages.

    Who wrote, when, and what the sender was told stays: the same message is known for ever (LOSS-1).
    """
    tx.run("expire_inbox", {"session_key": key, "reason": reason, "at": now})
    rows = tx.all("load_words", {"session_key": key})
    tx.run_many("forget_words", [{"inbound_id": row[0], "submission": forget_words(row[1])} for row in rows])


def load_inbox(
    tx: Transaction,
    *,
    inbound_ids: Sequence[InboundId],
    turn_id: TurnId | None,
    session_key: SessionKey | None,
    message_id: str | None,
    limit: int,
) -> tuple[InboxItem, ...]:
    """Messages by id, by turn, by session or by what their sources call them, in arrival order."""
    if inbound_ids:
        found = (tx.one("load_inbound", {"inbound_id": inbound_id}) for inbound_id in dict.fromkeys(inbound_ids))
        items = sorted((read_inbox_item(row) for row in found if row is not None), key=lambda item: item.seq)
        return tuple(items[-limit:])
    if turn_id is not None:
        rows = tx.all("load_inbox_of_turn", {"turn_id": turn_id, "limit": limit})
    elif session_key is not None:
        rows = tx.all("load_inbox_of_session", {"session_key": session_key, "limit": limit})
    elif message_id is not None:
        rows = tx.all("find_messages", {"message_id": message_id, "limit": limit})
    else:
        rows = []
    return tuple(read_inbox_item(row) for row in reversed(rows))


def load_open_keys(tx: Transaction) -> frozenset[SessionKey]:
    """The sessions with messages that have not ended."""
    return frozenset(SessionKey(row[0]) for row in tx.all("load_open_keys", {}))


def load_arrivals(tx: Transaction, *, since: Instant, limit: int) -> tuple[InboxItem, ...]:
    """The messages that came since a moment, at most the newest `limit`, in arrival order."""
    found: list[InboxItem] = []
    before = 1 << 62
    while len(found) < limit:
        rows = tx.all("load_arrivals", {"before": before, "limit": min(_SLICE, limit - len(found))})
        items = [read_inbox_item(row) for row in rows]
        new = [item for item in items if item.received_at >= since]
        found += new
        if not items or len(new) < len(items):
            break
        before = items[-1].seq
    return tuple(reversed(found))


def find_message(tx: Transaction, *, channel: ChannelName, account_id: AccountId, message_id: str) -> InboxItem | None:
    """The message that its source calls so; None if it never came."""
    row = tx.one("find_message", {"channel": channel, "account_id": account_id, "message_id": message_id})
    return read_inbox_item(row) if row is not None else None


def load_observed(
    tx: Transaction, key: SessionKey, *, after_seq: int, before_seq: int, limit: int
) -> tuple[InboxItem, ...]:
    """The newest messages between two places that are kept as context and that no turn was shown, in order (ACT-7).

    A turn is shown all that came before its message, so only what came after the newest such message counts.
    """
    params: Params = {"session_key": key, "after_seq": after_seq, "before_seq": before_seq, "limit": limit}
    return tuple(read_inbox_item(row) for row in reversed(tx.all("load_observed", params)))


def show_left_out(tx: Transaction, shown: Sequence[InboundId], *, key: SessionKey) -> None:
    """The agent has been told of these messages, or need not be any more (QUEUE-13)."""
    if shown:
        tx.run_many("show_left_out", [{"inbound_id": inbound_id, "session_key": key} for inbound_id in shown])


def load_left_out(tx: Transaction) -> tuple[InboxItem, ...]:
    """Messages of which the agent is still to be told with the next turn of a message that waits."""
    tx.run("forget_left_out", {})
    return tuple(read_inbox_item(row) for row in tx.all("load_left_out", {}))


def load_open_inbox(tx: Transaction, state: InboxState) -> tuple[InboxItem, ...]:
    """Every message that is in a state and has not ended, in arrival order."""
    return tuple(read_inbox_item(row) for row in tx.all("load_open_inbox", {"state": state}))
