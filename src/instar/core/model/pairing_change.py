"""What one transaction writes about who may write (LEAK-2)."""

from __future__ import annotations

from dataclasses import dataclass

from instar.core.model.change import NewDelivery, Noted
from instar.core.model.ids import SessionKey
from instar.core.model.pairing import Pairing, Peer

__all__ = ["PairingChange"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairingChange:
    """The owner's word about one peer; an empty field writes nothing.

    `session_key` is the peer's own place: the sentences are owed under it and the decisions stand there.
    """

    session_key: SessionKey
    approve: Pairing | None = None
    revoke: Peer | None = None
    remove_code: str | None = None
    deliveries: tuple[NewDelivery, ...] = ()
    decisions: tuple[Noted, ...] = ()
