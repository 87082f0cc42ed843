"""People and groups that the owner let in, and codes that wait for the owner's word (LEAK-2).

What belongs here: the values. Who is let in is decided by `instar.core.policy.access`, what a code's life is by
`instar.core.policy.pairing`. Everybody is named by channel, account, kind of chat, and id as keys write it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from instar.core.model.ids import AccountId, ChannelName, DeliveryId, Instant, SessionKey
from instar.core.model.message import Target

__all__ = ["Admission", "Pairing", "PairingCode", "PairingDraw", "PairingFacts", "Pairings", "Peer", "PeerKind"]

PeerKind = Literal["direct", "group"]
"""A person, or a group or room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A person or group on one account of a channel. `peer_id` has the spelling of keys."""

    channel: ChannelName
    account_id: AccountId
    kind: PeerKind
    peer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """A peer that the owner approved. `session_key` is the peer's own place, where sentences for it are owed.

    `name` is what the peer was called then, for reading; `approved_by` is who said so.
    """

    peer: Peer
    session_key: SessionKey
    approved_at: Instant
    approved_by: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairingCode:
    """A code that waits for the owner's word. `target` is where it was told, `told_at` when for the last time."""

    code: str
    peer: Peer
    session_key: SessionKey
    target: Target
    created_at: Instant
    told_at: Instant
    expires_at: Instant
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairings:
    """Everybody who was approved, the newest last, and every code that is kept, expired or not."""

    approved: tuple[Pairing, ...] = ()
    waiting: tuple[PairingCode, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PairingDraw:
    """What may be needed to tell `peer` a code: a fresh one, the name of the reply, and the peer's own place."""

    peer: Peer
    code: str
    delivery_id: DeliveryId
    session_key: SessionKey


@dataclass(frozen=True, slots=True, kw_only=True)
class PairingFacts:
    """What is known of pairings on one account of a channel: approved people and groups, in the spelling of keys.

    `waiting` are the codes of the account, `elsewhere` those of the channel's other accounts. `enabled` False means
    that no codes are given out: an unknown sender is refused with a hint only.
    """

    enabled: bool = False
    people: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    waiting: tuple[PairingCode, ...] = ()
    elsewhere: tuple[PairingCode, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What an approval led to. `told` says that the news is owed to whoever was let in; `warnings` are sentences."""

    pairing: Pairing
    told: bool
    warnings: tuple[str, ...] = ()
