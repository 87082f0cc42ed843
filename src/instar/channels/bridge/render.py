"""From an `Outbound` to the JSON that a bridge fetches: pure."""

from __future__ import annotations

from collections.abc import Iterable

from instar.core.model.change import Acknowledgement
from instar.core.model.message import Outbound

__all__ = ["render_acknowledgement", "render_outbound"]


def render_acknowledgement(acknowledgement: Acknowledgement) -> dict[str, object]:
    """What the bridge is told of a message it posted; equal for the same message for ever (LOSS-1)."""
    answer: dict[str, object] = {"inboundId": acknowledgement.inbound_id, "status": acknowledgement.status}
    if acknowledgement.reason is not None:
        answer["reason"] = acknowledgement.reason
    if acknowledgement.hint:
        answer["hint"] = acknowledgement.hint
    return answer


def render_outbound(outbounds: Iterable[Outbound]) -> dict[str, object]:
    """The replies that wait, oldest first, each with a chat in the shape in which messages are posted."""
    return {"messages": [_render(outbound) for outbound in outbounds]}


def _render(outbound: Outbound) -> dict[str, object]:
    target = outbound.target
    chat: dict[str, object] = {"type": target.chat_type, "id": target.to}
    if target.thread_id is not None:
        chat["threadId"] = target.thread_id
    message: dict[str, object] = {
        "deliveryId": outbound.delivery_id,
        "accountId": target.account_id,
        "chat": chat,
        "text": outbound.text,
        "attempt": outbound.attempt,
    }
    return message if target.reply_to_id is None else {**message, "replyToId": target.reply_to_id}
