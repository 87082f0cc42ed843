"""A person's word about a reply that did not arrive, or may not have: send it again, or let it go (LOSS-5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from instar.core.model.change import DeliveryState

__all__ = ["Redo", "RedoAction", "decide_redo"]

RedoAction = Literal["send", "drop"]

_TOLD: Final = {
    "pending": "it is waiting to be sent already",
    "sending": "it is being sent at this moment",
    "sent": "it was sent",
    "suppressed": "it was kept back on purpose",
    "dropped": "it was let go before",
}
"""Why a reply in each state can not be asked for again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redo:
    """The state a reply moves to; None refuses, and `why` says the reason."""

    state: DeliveryState | None
    why: str = ""


def decide_redo(action: RedoAction, state: str, *, has_words: bool) -> Redo:
    """Decide what a person's word does to a reply in `state`.

    `has_words` is False for a reply whose words were forgotten with its session. One that is being sent is neither
    sent again nor dropped: what becomes of it will be known in a moment.
    """
    if action == "drop":
        if state in {"unknown", "failed", "pending"}:
            return Redo(state="dropped")
        return Redo(state=None, why=_TOLD[state])
    if state not in {"unknown", "failed"}:
        return Redo(state=None, why=_TOLD[state])
    if not has_words:
        return Redo(state=None, why="its words were removed with its session")
    return Redo(state="pending")
