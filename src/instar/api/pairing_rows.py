"""Codes and approvals as clients see them (LEAK-2)."""

from __future__ import annotations

from instar.core.model.event import PairingResolved
from instar.core.model.ids import SessionKey
from instar.core.model.pairing import Pairing, PairingCode, Peer

__all__ = ["build_approved", "build_peer", "build_resolved", "build_waiting"]


def build_waiting(code: PairingCode) -> dict[str, object]:
    """A code that waits."""
    return {
        "code": code.code,
        **build_peer(code.peer, name=code.name, key=code.session_key),
        "createdAt": code.created_at,
        "toldAt": code.told_at,
        "expiresAt": code.expires_at,
    }


def build_approved(pairing: Pairing) -> dict[str, object]:
    """Somebody who was let in."""
    return {
        **build_peer(pairing.peer, name=pairing.name, key=pairing.session_key),
        "approvedAt": pairing.approved_at,
        "approvedBy": pairing.approved_by,
    }


def build_resolved(event: PairingResolved) -> dict[str, object]:
    """The owner's word, as it is announced."""
    payload: dict[str, object] = {"decision": event.decision, **_name(event.peer), "ts": event.at}
    return {**payload, "code": event.code} if event.code else payload


def build_peer(peer: Peer, *, name: str, key: SessionKey) -> dict[str, object]:
    """Who is meant."""
    return {**_name(peer), "name": name, "sessionKey": key}


def _name(peer: Peer) -> dict[str, object]:
    return {"channel": peer.channel, "accountId": peer.account_id, "chatType": peer.kind, "peerId": peer.peer_id}
