"""What a dock command writes, and what its sender is told (CMD-29, DOCK-1…8).

Whether a session may be docked is decided by `instar.core.delivery.route`; here stand the change and the sentences,
one for each way it can fail (DOCK-2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from instar.core.delivery.route import DockFacts, DockOutcome, build_reply_target, decide_dock
from instar.core.model.change import InboxItem, Noted, SessionChange, SessionFacts
from instar.core.model.ids import ChannelName
from instar.core.model.session import Delivery
from instar.core.routing.identity import Links
from instar.core.turn.steps import touch_updated

__all__ = ["DockPlan", "plan_dock"]

_SENTENCES: Final[dict[DockOutcome, str]] = {
    "docked": "From now on this session is answered on {target}. /dock-{home} brings it back here.",
    "undocked": "This session is answered here again.",
    "not_direct": "Only a direct chat can be docked; a group is answered where it is.",
    "sender_unknown": "This chat does not say who you are, so your place on {target} cannot be looked up.",
    "not_linked": (
        "You have no place on {target} that is known here. Name both ids in one entry of session.identityLinks."
    ),
    "no_session": "There is no session here yet. Write a message first, then dock.",
    "already_there": "This session is already answered on {target}.",
}

_NOT_CONNECTED: Final = "{target} is not connected to this gateway, so nothing could be delivered there."


@dataclass(frozen=True, slots=True, kw_only=True)
class DockPlan:
    """What is written, and what the sender is told."""

    change: SessionChange
    text: str


def plan_dock(
    facts: SessionFacts, item: InboxItem, target: ChannelName, *, links: Links, is_connected: bool
) -> DockPlan:
    """The change and the answer of ``/dock-<target>``. Key, session id, transcript and overrides stay (DOCK-5).

    `is_connected` says whether the wanted channel runs here. Docking to the channel of the message undoes a dock: the
    route is the chat that was written from, as the platform spells it (DOCK-6, DOCK-7).
    """
    inbound = item.submission.inbound
    dock = DockFacts(
        chat_type=inbound.chat.type, channel=inbound.channel, sender_id=inbound.sender.id, target_channel=target
    )
    words = {"target": target, "home": inbound.channel}
    decided = decide_dock(facts.session, dock, links)
    if decided.outcome == "docked" and not is_connected:
        return DockPlan(change=SessionChange(), text=_NOT_CONNECTED.format(**words))
    noted = Noted(decision=decided.as_decision(dock), inbound_id=item.inbound_id)
    text = _SENTENCES[decided.outcome].format(**words)
    session, delivery = facts.session, decided.delivery
    if session is None or delivery is None:
        return DockPlan(change=SessionChange(decisions=(noted,)), text=text)
    if decided.outcome == "undocked":
        own = build_reply_target(inbound)
        delivery = Delivery(channel=own.channel, to=own.to, account_id=own.account_id, thread_id=own.thread_id)
    docked = replace(touch_updated(session, facts.now), delivery=delivery)
    return DockPlan(change=SessionChange(session=docked, decisions=(noted,)), text=text)
