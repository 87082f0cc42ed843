"""What an owner reads about who may write, in a chat (LEAK-2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from instar.core.model.ids import Instant
from instar.core.model.pairing import Admission, Pairing, PairingCode, Pairings, Peer

__all__ = ["PAIRING_USAGE", "name_peer", "tell_admission", "tell_pairings"]

PAIRING_USAGE: Final = "Usage: /pairing list, /pairing approve CODE, /pairing reject CODE, /pairing revoke ID"

SHOWN_MAX: Final = 30
"""Approvals that one message lists; the command line lists all."""

_MINUTE_MS: Final = 60_000


def tell_pairings(pairings: Pairings, *, now: Instant) -> str:
    """The codes that wait, and who was approved, the newest first."""
    waiting = [_tell_code(code, now=now) for code in pairings.waiting]
    approved = list(reversed(pairings.approved))
    lines = ["Waiting:", *waiting] if waiting else ["Nobody waits."]
    lines += ["Approved:", *_tell_approved(approved)] if approved else ["Nobody was approved yet."]
    return "\n".join(lines)


def tell_admission(admission: Admission) -> str:
    """What an approval led to."""
    told = ", and is told so" if admission.told else ""
    named = name_peer(admission.pairing.peer, admission.pairing.name)
    return "\n".join((f"{named} may write now{told}.", *admission.warnings))


def name_peer(peer: Peer, name: str) -> str:
    """Who is meant, in a sentence: ``telegram:42 (Ann)``."""
    kind = "The group " if peer.kind == "group" else ""
    return f"{kind}{peer.channel}:{peer.peer_id}{f' ({name})' if name else ''}"


def _tell_code(code: PairingCode, *, now: Instant) -> str:
    minutes = max(1, -(-(code.expires_at - now) // _MINUTE_MS))
    return f"{code.code}: {name_peer(code.peer, code.name)}, {minutes} min left"


def _tell_approved(approved: Sequence[Pairing]) -> list[str]:
    lines = [name_peer(one.peer, one.name) for one in approved[:SHOWN_MAX]]
    rest = len(approved) - len(lines)
    return [*lines, f"and {rest} more"] if rest else lines
