"""Transactions about who may write: codes that wait, approvals of the owner (LEAK-2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from instar.core.model.ids import AccountId, ChannelName, Instant, SessionKey
from instar.core.model.instant import CLOCK_SLACK_MS
from instar.core.model.pairing import Pairing, PairingCode, PairingFacts, Pairings, Peer, PeerKind
from instar.core.model.pairing_change import PairingChange
from instar.stores.decisions import record_decisions
from instar.stores.outbox import add_deliveries
from instar.stores.rows import format_json, parse_target
from instar.stores.transaction import Row, Transaction

__all__ = ["change_pairings", "load_pairing_facts", "load_pairings", "save_code"]


def load_pairing_facts(tx: Transaction, peer: Peer) -> PairingFacts:
    """What a decision at the door has to know. Codes are read only for somebody who was not approved."""
    name = _name(peer)
    if tx.one("find_pairing", name) is None:
        codes = tuple(map(_read_code, tx.all("load_codes_of_channel", {"channel": peer.channel})))
        return PairingFacts(
            enabled=True,
            waiting=tuple(code for code in codes if code.peer.account_id == peer.account_id),
            elsewhere=tuple(code for code in codes if code.peer.account_id != peer.account_id),
        )
    found = frozenset({peer.peer_id})
    if peer.kind == "direct":
        return PairingFacts(enabled=True, people=found)
    return PairingFacts(enabled=True, groups=found)


def load_pairings(tx: Transaction) -> Pairings:
    """Everybody who was approved, and every code that is kept."""
    return Pairings(
        approved=tuple(_read_pairing(row) for row in tx.all("load_pairings", {})),
        waiting=tuple(_read_code(row) for row in tx.all("load_codes", {})),
    )


def save_code(tx: Transaction, code: PairingCode, *, now: Instant) -> None:
    """Keep a code that is being told; those whose hour is over go."""
    tx.run("remove_expired_codes", {"now": now, "latest": now + CLOCK_SLACK_MS})
    tx.run(
        "save_code",
        {
            **_name(code.peer),
            "code": code.code,
            "name": code.name,
            "session_key": code.session_key,
            "target": format_json(code.target),
            "created_at": code.created_at,
            "told_at": code.told_at,
            "expires_at": code.expires_at,
        },
    )


def change_pairings(
    tx: Transaction, *, now: Instant, decide: Callable[[Pairings], PairingChange | None]
) -> PairingChange | None:
    """Ask the decision and carry out its answer; None changes nothing."""
    change = decide(load_pairings(tx))
    if change is None:
        return None
    if change.remove_code is not None:
        tx.run("remove_code", {"code": change.remove_code})
    if change.approve is not None:
        approve = change.approve
        tx.run(
            "save_pairing",
            {
                **_name(approve.peer),
                "name": approve.name,
                "session_key": approve.session_key,
                "approved_at": approve.approved_at,
                "approved_by": approve.approved_by,
            },
        )
    if change.revoke is not None:
        tx.run("remove_pairing", _name(change.revoke))
    add_deliveries(tx, change.deliveries, key=change.session_key, now=now)
    record_decisions(tx, change.decisions, key=change.session_key, now=now)
    return change


def _name(peer: Peer) -> dict[str, str | int | None]:
    return {
        "channel": peer.channel,
        "account_id": peer.account_id,
        "chat_type": peer.kind,
        "peer_id": peer.peer_id,
    }


def _read_peer(row: Row) -> Peer:
    channel, account_id, kind, peer_id = row
    return Peer(
        channel=ChannelName(channel),
        account_id=AccountId(account_id),
        kind=cast("PeerKind", kind),  # only the two words are ever written
        peer_id=peer_id,
    )


def _read_pairing(row: Row) -> Pairing:
    return Pairing(
        peer=_read_peer(row[:4]),
        name=row[4],
        session_key=SessionKey(row[5]),
        approved_at=Instant(row[6]),
        approved_by=row[7],
    )


def _read_code(row: Row) -> PairingCode:
    return PairingCode(
        code=row[0],
        peer=_read_peer(row[1:5]),
        name=row[5],
        session_key=SessionKey(row[6]),
        target=parse_target(row[7]),
        created_at=Instant(row[8]),
        told_at=Instant(row[9]),
        expires_at=Instant(row[10]),
    )
