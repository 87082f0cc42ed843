"""Messages that get no turn because money for it is used up (COST-2, LOSS-2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from instar.core.model.change import InboxChange, InboxItem, Noted, SessionChange
from instar.core.model.decision import Decision
from instar.core.model.ids import DeliveryId, TurnId
from instar.core.turn.reply import plan_command_reply

__all__ = ["plan_refusal"]


def plan_refusal(
    items: Sequence[InboxItem],
    turn_id: TurnId,
    text: str,
    *,
    decision: Decision,
    draw: Callable[[], DeliveryId],
    text_max_chars: Callable[[str], int | None],
) -> SessionChange:
    """The messages end refused, with the decision on record; the newest one's sender is told once.

    Nothing of them is in the transcript: whoever wants an answer later writes again.
    """
    last = items[-1]
    return SessionChange(
        inbox=tuple(
            InboxChange(inbound_id=item.inbound_id, state="refused", turn_id=turn_id, reason="budget") for item in items
        ),
        deliveries=plan_command_reply(last, text, draw=draw, limit=text_max_chars(last.submission.inbound.channel)),
        decisions=(Noted(decision=decision, inbound_id=last.inbound_id, turn_id=turn_id),),
    )
