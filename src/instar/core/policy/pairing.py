"""The life of a pairing code: its words, its approval, its refusal (LEAK-2).

What belongs here: what is written when a code is approved or rejected, and when an approval is taken back. What does
not: whether a sender may write at all (`instar.core.policy.access`), and telling a code (`instar.core.turn.offer`).

Theory of operation. A code stands for one person or group on one account of a channel. It has eight letters and digits
out of 32, none of which is taken for another one, so it is one of 2^40; it lives for an hour. It opens nothing by
itself: it only names who is meant, to somebody who may approve.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Final, Literal

from instar.core.model.change import NewDelivery, Noted
from instar.core.model.decision import Decision
from instar.core.model.ids import AccountId, ChannelName, DeliveryId, Instant
from instar.core.model.instant import holds_at
from instar.core.model.pairing import Pairing, PairingCode, PairingFacts, Pairings, Peer, PeerKind
from instar.core.model.pairing_change import PairingChange

__all__ = [
    "CODE_ALPHABET",
    "CODE_BYTES",
    "CODE_CHARS",
    "PairingVerb",
    "build_code",
    "build_facts",
    "find_approved",
    "find_waiting",
    "list_alive",
    "parse_code",
    "plan_approval",
    "plan_rejection",
    "plan_revocation",
    "tell_approval",
    "tell_code",
]

PairingVerb = Literal["approved", "rejected", "revoked"]
"""What the owner said."""

CODE_ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without I, O, 0 and 1, which are taken for one another when a code is read out."""

CODE_CHARS: Final = 8

CODE_BYTES: Final = 5
"""Random bytes in a code."""

_BITS_PER_CHAR: Final = 5


def build_code(drawn: bytes) -> str:
    """The code that five random bytes stand for: every code is as likely as any other one."""
    number = int.from_bytes(drawn, "big")
    digits = (number >> (_BITS_PER_CHAR * place) & 0b11111 for place in range(CODE_CHARS))
    return "".join(CODE_ALPHABET[digit] for digit in digits)


def parse_code(text: str) -> str:
    """A code as it is kept, however somebody typed it: case, blanks and hyphens do not matter."""
    return "".join(text.split()).replace("-", "").upper()


def build_facts(pairings: Pairings) -> Mapping[tuple[ChannelName, AccountId], PairingFacts]:
    """The approvals of each account, for decisions over many messages at once; nobody is told a code by them."""
    people: dict[tuple[ChannelName, AccountId], set[tuple[PeerKind, str]]] = defaultdict(set)
    for one in pairings.approved:
        people[one.peer.channel, one.peer.account_id].add((one.peer.kind, one.peer.peer_id))
    return {
        account: PairingFacts(
            people=frozenset(peer_id for kind, peer_id in peers if kind == "direct"),
            groups=frozenset(peer_id for kind, peer_id in peers if kind == "group"),
        )
        for account, peers in people.items()
    }


def list_alive(pairings: Pairings, *, now: Instant) -> tuple[PairingCode, ...]:
    """The codes that still wait, the oldest first."""
    return tuple(sorted((one for one in pairings.waiting if _waits(one, now)), key=lambda one: one.created_at))


def _waits(code: PairingCode, now: Instant) -> bool:
    return holds_at(now, since=code.created_at, until=code.expires_at)


def find_waiting(pairings: Pairings, code: str, *, now: Instant) -> PairingCode | None:
    """The code that waits and was typed as `code`; None for a wrong or expired one."""
    wanted = parse_code(code)
    return next((one for one in list_alive(pairings, now=now) if one.code == wanted), None)


def find_approved(
    pairings: Pairings, peer_id: str, *, channel: ChannelName | None, account_id: AccountId | None
) -> tuple[Pairing, ...]:
    """Who was approved under an id, on a channel and account where those are named; ids compare without case."""
    wanted = peer_id.strip().casefold()
    return tuple(
        one
        for one in pairings.approved
        if one.peer.peer_id.casefold() == wanted
        and channel in {None, one.peer.channel}
        and account_id in {None, one.peer.account_id}
    )


def tell_code(code: str, *, kind: PeerKind) -> str:
    """What a stranger reads: why there is no answer, and what to do."""
    if kind == "direct":
        return (
            f"I do not answer people I do not know yet. Your pairing code is {code}. Give it to whoever runs this "
            f"assistant: within the hour they can let you in with `instar pairing approve {code}`. Then write again."
        )
    return (
        f"I do not answer in groups I do not know yet. The pairing code of this group is {code}. Whoever runs this "
        f"assistant can let the group in within the hour with `instar pairing approve {code}`."
    )


# --- the owner's word -------------------------------------------------------------------------------------------------


def plan_approval(code: PairingCode, *, who: str, now: Instant, delivery_id: DeliveryId | None) -> PairingChange:
    """Let in whoever a code stands for, and owe them the news; without `delivery_id` nobody can be told."""
    pairing = Pairing(peer=code.peer, session_key=code.session_key, approved_at=now, approved_by=who, name=code.name)
    owed = () if delivery_id is None else (_owe_news(code, delivery_id),)
    return PairingChange(
        session_key=code.session_key,
        approve=pairing,
        remove_code=code.code,
        deliveries=owed,
        decisions=(_note("approved", code.peer, who=who),),
    )


def plan_rejection(code: PairingCode, *, who: str) -> PairingChange:
    """Take a code out of the list; whoever it was told to hears nothing, and gets another one when they write again."""
    return PairingChange(
        session_key=code.session_key,
        remove_code=code.code,
        decisions=(_note("rejected", code.peer, who=who),),
    )


def plan_revocation(pairing: Pairing, *, who: str) -> PairingChange:
    """Take an approval back."""
    return PairingChange(
        session_key=pairing.session_key,
        revoke=pairing.peer,
        decisions=(_note("revoked", pairing.peer, who=who),),
    )


def tell_approval(kind: PeerKind) -> str:
    """What whoever was approved is told."""
    if kind == "direct":
        return "You were let in. Write again, and I will answer."
    return "This group was let in. Mention me, and I will answer."


def _owe_news(code: PairingCode, delivery_id: DeliveryId) -> NewDelivery:
    return NewDelivery(delivery_id=delivery_id, target=code.target, text=tell_approval(code.peer.kind))


def _note(verb: PairingVerb, peer: Peer, *, who: str) -> Noted:
    inputs = {"channel": peer.channel, "account": peer.account_id, "chat": peer.kind}
    return Noted(decision=Decision(kind="access", outcome=verb, rule="LEAK-2", inputs=inputs), who=who)
