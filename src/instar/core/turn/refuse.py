"""Messages that get no turn because money for it is used up (COST-2, LOSS-2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from instar.core.model.change import InboxChange, InboxItem, Noted, SessionChange
from instar.core.model.decision import Decision
from instar.core.model.ids import DeliveryId, TurnId
from instar.core.turn.recover import read_steered
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

    Nothing of them is in the transcript: whoever wants an answer later writes again. One that an earlier turn has taken
    already was answered there, and ends as merged into it; nobody is told that there is no answer to it (QUEUE-7).
    """
    refused = [item for item in items if read_steered(item) is None]
    told = refused[-1:]
    return SessionChange(
        inbox=tuple(_build_end(item, turn_id) for item in items),
        deliveries=tuple(
            delivery
            for item in told
            for delivery in plan_command_reply(
                item, text, draw=draw, limit=text_max_chars(item.submission.inbound.channel)
            )
        ),
        decisions=(Noted(decision=decision, inbound_id=items[-1].inbound_id, turn_id=turn_id),),
    )


def _build_end(item: InboxItem, turn_id: TurnId) -> InboxChange:
    taken_by = read_steered(item)
    if taken_by is not None:
        return InboxChange(inbound_id=item.inbound_id, state="merged", turn_id=taken_by)
    return InboxChange(inbound_id=item.inbound_id, state="refused", turn_id=turn_id, reason="budget")
