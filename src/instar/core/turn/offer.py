"""The pairing code that a stranger is told in answer to a message (LEAK-2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from instar.core.delivery.route import build_reply_target
from instar.core.model.change import NewDelivery
from instar.core.model.ids import Instant
from instar.core.model.message import Inbound
from instar.core.model.pairing import PairingCode, PairingDraw
from instar.core.policy.access import PAIRING_CODE_TTL_MS, Access
from instar.core.policy.pairing import tell_code

__all__ = ["plan_offer"]

SHOWN_NAME_CHARS: Final = 80
"""A name comes from a stranger and may be of any length."""


def plan_offer(
    access: Access, inbound: Inbound, draw: PairingDraw, *, now: Instant
) -> tuple[PairingCode, NewDelivery] | None:
    """The code to keep and the sentence to owe for a refused message; None where nothing is said.

    A code that is told once more lives no longer for it.
    """
    if access.pairing == "repeat" and access.waiting is not None:
        code = replace(access.waiting, told_at=now)
    elif access.pairing == "offer":
        code = PairingCode(
            code=draw.code,
            peer=draw.peer,
            session_key=draw.session_key,
            target=build_reply_target(inbound),
            created_at=now,
            told_at=now,
            expires_at=Instant(now + PAIRING_CODE_TTL_MS),
            name=_shorten((inbound.sender.name if draw.peer.kind == "direct" else inbound.chat.title) or ""),
        )
    else:
        return None
    words = tell_code(code.code, kind=code.peer.kind)
    return code, NewDelivery(delivery_id=draw.delivery_id, target=code.target, text=words)


def _shorten(name: str) -> str:
    return " ".join(name.split())[:SHOWN_NAME_CHARS]
