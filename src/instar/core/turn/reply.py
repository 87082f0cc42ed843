"""What is owed to whom after an answer: target, permission, silence, pieces (LOSS-5, SEND-*, FLUSH-6).

A reply is a `NewDelivery` for each piece, in the same change as the line it comes from. What may not leave is stored
as ``suppressed`` all the same, so that it can be shown why nobody heard it. A message from a client that listens
itself (an RPC) owes nothing, unless it asks for delivery.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from instar.core.delivery.chunk import split_text
from instar.core.delivery.route import build_reply_target, decide_reply_route
from instar.core.delivery.silent import is_silent
from instar.core.model.change import DeliveryState, InboxChange, InboxItem, NewDelivery, Noted, SessionChange
from instar.core.model.decision import Decision
from instar.core.model.ids import DeliveryId, TurnId
from instar.core.model.message import Target
from instar.core.model.session import Session
from instar.core.policy.send import EgressKind, SendFacts, SendPolicy, decide_egress, decide_send
from instar.core.queue.lane import Dropped
from instar.core.turn.ends import build_expiry_notice

__all__ = ["Reply", "ReplySettings", "plan_command_reply", "plan_expiry", "plan_reply"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplySettings:
    """What a reply needs to know. `text_max_chars` gives a channel's limit, None without one.

    `notice` is put in front of the first piece for a channel: the line about an automatic reset (LOSS-7).
    """

    send_policy: SendPolicy
    main_key: str
    text_max_chars: Callable[[str], int | None]
    notice: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What an answer owes. `silent` says that the agent chose to say nothing."""

    deliveries: tuple[NewDelivery, ...] = ()
    decisions: tuple[Noted, ...] = ()
    silent: bool = False


def plan_reply(
    text: str,
    items: Sequence[InboxItem],
    *,
    session: Session,
    turn_id: TurnId,
    settings: ReplySettings,
    draw: Callable[[], DeliveryId],
    kind: EgressKind = "reply",
) -> Reply:
    """The deliveries and decisions of one answer to `items`; the newest of them says where it goes."""
    silent = is_silent(text)
    if not text.strip():
        return Reply(silent=silent)
    target = _find_target(items[-1], session)
    if target is None:
        return Reply(silent=silent)
    verdict = decide_send(settings.send_policy, _facts(session, settings.main_key))
    egress = decide_egress(verdict, kind)
    state: DeliveryState = "suppressed" if silent or not egress.deliver else "pending"
    reason = "silent" if silent else None if egress.deliver else egress.reason or "send_policy"
    shown = f"{settings.notice}\n\n{text}" if settings.notice and state == "pending" else text
    pieces = _split(shown, settings.text_max_chars(target.channel)) if state == "pending" else (text,)
    record = _record(verdict.as_decision(), silent=silent)
    return Reply(
        deliveries=tuple(
            NewDelivery(delivery_id=draw(), target=target, text=piece, turn_id=turn_id, state=state, reason=reason)
            for piece in pieces
        ),
        decisions=(Noted(decision=record, inbound_id=items[-1].inbound_id, turn_id=turn_id),),
        silent=silent,
    )


def plan_command_reply(
    item: InboxItem, text: str | None, *, draw: Callable[[], DeliveryId], limit: int | None
) -> tuple[NewDelivery, ...]:
    """The answer to a chat command, always delivered to where the command came from (SEND-12)."""
    if text is None or item.submission.session_key is not None:
        return ()
    target = build_reply_target(item.submission.inbound)
    return tuple(
        NewDelivery(delivery_id=draw(), target=target, text=piece, turn_id=item.turn_id)
        for piece in _split(text, limit)
    )


def plan_expiry(item: InboxItem, dropped: Dropped, *, draw: Callable[[], DeliveryId]) -> SessionChange:
    """End a message that will not run, and tell its sender once (LOSS-2).

    One that a running turn has taken meanwhile ends as merged into it instead, and nobody needs to be told.
    """
    if dropped.merged_into is not None:
        merged = InboxChange(inbound_id=item.inbound_id, state="merged", turn_id=dropped.merged_into)
        return SessionChange(inbox=(merged,))
    decision = Decision(kind="queue", outcome="expired", rule="LOSS-2", inputs={"reason": dropped.reason})
    text = build_expiry_notice(item.submission.inbound.text, dropped.reason)
    owed = () if dropped.reason in ("stopped", "aborted") else plan_command_reply(item, text, draw=draw, limit=None)
    return SessionChange(
        inbox=(InboxChange(inbound_id=item.inbound_id, state="expired", turn_id=item.turn_id, reason=dropped.reason),),
        deliveries=owed,
        decisions=(Noted(decision=decision, inbound_id=item.inbound_id),),
    )


def _find_target(item: InboxItem, session: Session) -> Target | None:
    """Where the answer to `item` goes; None when nobody asked for it to leave."""
    submission = item.submission
    if submission.session_key is not None and not submission.options.deliver:
        return None
    own = None if submission.session_key is not None else build_reply_target(submission.inbound)
    route = decide_reply_route(session, own)
    if route.source == "message" and route.target is not None and route.target.chat_type != "direct":
        return replace(route.target, reply_to_id=submission.inbound.message_id)
    return route.target


def _facts(session: Session, main_key: str) -> SendFacts:
    return SendFacts(
        key=session.key,
        override=session.overrides.send_policy,
        entry_channel=session.origin.channel,
        entry_last_channel=session.delivery.channel,
        entry_chat_type=session.origin.chat_type,
        main_key=main_key,
    )


def _record(verdict: Decision, *, silent: bool) -> Decision:
    """The decision that counts: silence when the agent chose it, else the policy's."""
    if silent:
        return Decision(kind="send", outcome="silent", rule="FLUSH-6")
    return verdict


def _split(text: str, limit: int | None) -> tuple[str, ...]:
    """The pieces that a channel takes; the whole text where it has no limit."""
    return (text,) if limit is None else split_text(text, limit=limit)
