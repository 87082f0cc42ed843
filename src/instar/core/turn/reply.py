"""What is owed to whom after an answer: target, permission, silence, pieces (LOSS-5, SEND-*, FLUSH-6).

A reply is a `NewDelivery` for each piece, in the same change as the line it comes from. What may not leave is stored
as ``suppressed`` all the same, so that it can be shown why nobody heard it. A message from a client that listens
itself (an RPC) owes nothing, unless it asks for delivery.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from instar.core.delivery.chunk import split_text
from instar.core.delivery.route import ReplyRoute, build_reply_target
from instar.core.delivery.silent import is_silent
from instar.core.lifecycle.freshness import StaleReason
from instar.core.lifecycle.reset import NOTICE_FIELD
from instar.core.model.change import DeliveryState, InboxChange, InboxItem, NewDelivery, Noted, SessionChange
from instar.core.model.decision import Decision
from instar.core.model.ids import DeliveryId, InboundId, TurnId
from instar.core.model.message import Target
from instar.core.model.session import Session
from instar.core.policy.send import EgressKind, SendPolicy, decide_egress, decide_send
from instar.core.queue.debounce import are_one_route
from instar.core.queue.lane import Dropped
from instar.core.routing.identity import NO_LINKS, Links
from instar.core.turn.egress import build_send_facts, find_reply_route
from instar.core.turn.ends import build_expiry_notice

__all__ = [
    "Reply",
    "ReplySettings",
    "can_share_reply",
    "plan_command_reply",
    "plan_expiry",
    "plan_reply",
    "read_owed_notice",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplySettings:
    """What a reply needs to know. `text_max_chars` gives a channel's limit, None without one.

    `notice` is put in front of the first piece for a channel: the line about an automatic reset (LOSS-7). `lines` say
    behind it how the answer came about, `thoughts` stand between them and the words, `footer` behind the words; none
    of the four is in the transcript's words. `links` say whose a docked route is.
    """

    send_policy: SendPolicy
    main_key: str
    text_max_chars: Callable[[str], int | None]
    links: Links = NO_LINKS
    notice: str | None = None
    lines: tuple[str, ...] = ()
    thoughts: str | None = None
    footer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What an answer owes. `silent` says that the agent chose to say nothing; `without_notice` are the deliveries
    without the line about a reset, None where `deliveries` have none.
    """

    deliveries: tuple[NewDelivery, ...] = ()
    decisions: tuple[Noted, ...] = ()
    silent: bool = False
    without_notice: tuple[NewDelivery, ...] | None = None

    def owed_in(self, session: Session | None) -> tuple[NewDelivery, ...]:
        """The deliveries as they are owed in the session as it is by now: the line about a reset is told once, and a
        turn that runs beside this one may have told it meanwhile (LOSS-7, QUEUE-9).
        """
        is_told = session is None or read_owed_notice(session) is None
        return self.without_notice if self.without_notice is not None and is_told else self.deliveries

    @property
    def will_be_heard(self) -> bool:
        """Whether something leaves for a channel, and with it the line about a reset (LOSS-7)."""
        return any(delivery.state == "pending" for delivery in self.deliveries)


def can_share_reply(routes: Sequence[Target | None], route: Target | None) -> bool:
    """Whether a message by `route` may be answered together with messages that came by `routes`.

    One answer goes to one place. So messages of two chats never share a turn, even where they share a session:
    the words for one of them would be read in the other. A source without a route (None: RPC) hears every answer.
    """
    return route is None or all(each is None or are_one_route([each, route]) for each in routes)


def read_owed_notice(session: Session) -> StaleReason | None:
    """Why the session started over by itself, if its person was not told yet (LOSS-7)."""
    match session.extra.get(NOTICE_FIELD):
        case "daily":
            return "daily"
        case "idle":
            return "idle"
        case _:
            return None


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
    """The deliveries and decisions of one answer to `items`; the newest of them that came from a place where an
    answer can go says where it goes.
    """
    silent = is_silent(text)
    if not text.strip():
        return Reply(silent=silent)
    found = ((item, find_reply_route(item.submission, session, settings.links)) for item in reversed(items))
    item, route = next(((item, route) for item, route in found if route is not None), (items[-1], None))
    target = None if route is None else route.target
    if route is None or target is None:
        return Reply(silent=silent)
    asked = build_send_facts(session.key, session, route, main_key=settings.main_key)
    verdict = decide_send(settings.send_policy, asked)
    egress = decide_egress(verdict, kind)
    state: DeliveryState = "suppressed" if silent or not egress.deliver else "pending"
    reason = "silent" if silent else None if egress.deliver else egress.reason or "send_policy"

    def build(notice: str | None) -> tuple[NewDelivery, ...]:
        told = "\n".join(line for line in (notice, *settings.lines) if line)
        parts = (told, settings.thoughts, text, settings.footer)
        shown = "\n\n".join(part for part in parts if part) if state == "pending" else text
        pieces = _split(shown, settings.text_max_chars(target.channel)) if state == "pending" else (text,)
        return tuple(
            NewDelivery(delivery_id=draw(), target=target, text=piece, turn_id=turn_id, state=state, reason=reason)
            for piece in pieces
        )

    records = (*_record_dock(route), _record(verdict.as_decision(), silent=silent))
    return Reply(
        deliveries=build(settings.notice),
        decisions=tuple(Noted(decision=one, inbound_id=item.inbound_id, turn_id=turn_id) for one in records),
        silent=silent,
        without_notice=build(None) if settings.notice and state == "pending" else None,
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


def plan_expiry(
    items: Sequence[InboxItem],
    dropped: Mapping[InboundId, Dropped],
    *,
    draw: Callable[[], DeliveryId],
    text_max_chars: Callable[[str], int | None],
) -> SessionChange:
    """End messages that will not run, and tell each sender once, in one notice for each place and reason (LOSS-2).

    One that a running turn has taken meanwhile ends as merged into it instead, and nobody needs to be told.
    """
    notices: dict[tuple[str, str, str], list[InboxItem]] = {}
    for item in items:
        fate = dropped[item.inbound_id]
        if fate.merged_into is None and item.submission.session_key is None:
            inbound = item.submission.inbound
            target = build_reply_target(inbound)
            place = (f"{target.channel} {target.account_id}", f"{target.to} {target.thread_id or ''}")
            notices.setdefault((*place, f"{inbound.sender.id} {fate.reason}"), []).append(item)
    owed = (
        plan_command_reply(
            group[-1],
            build_expiry_notice([item.submission.inbound.text for item in group], dropped[group[0].inbound_id].reason),
            draw=draw,
            limit=text_max_chars(group[-1].submission.inbound.channel),
        )
        for group in notices.values()
    )
    return SessionChange(
        inbox=tuple(_build_end(item, dropped[item.inbound_id]) for item in items),
        deliveries=tuple(delivery for deliveries in owed for delivery in deliveries),
        decisions=tuple(
            Noted(decision=_describe_expiry(dropped[item.inbound_id]), inbound_id=item.inbound_id)
            for item in items
            if dropped[item.inbound_id].merged_into is None
        ),
    )


def _build_end(item: InboxItem, fate: Dropped) -> InboxChange:
    if fate.merged_into is not None:
        return InboxChange(inbound_id=item.inbound_id, state="merged", turn_id=fate.merged_into)
    return InboxChange(
        inbound_id=item.inbound_id, state="expired", turn_id=item.turn_id, reason=fate.reason, left_out=fate.leaves_line
    )


def _describe_expiry(fate: Dropped) -> Decision:
    return Decision(kind="queue", outcome="expired", rule="LOSS-2", inputs={"reason": fate.reason})


def _record_dock(route: ReplyRoute) -> tuple[Decision, ...]:
    """Why an answer of a docked session went where it did; other answers go back to their message, which says it."""
    return (route.as_decision(),) if route.source in {"docked", "others_dock"} else ()


def _record(verdict: Decision, *, silent: bool) -> Decision:
    """The decision that counts: silence when the agent chose it, else the policy's."""
    if silent:
        return Decision(kind="send", outcome="silent", rule="FLUSH-6")
    return verdict


def _split(text: str, limit: int | None) -> tuple[str, ...]:
    """The pieces that a channel takes; the whole text where it has no limit."""
    return (text,) if limit is None else split_text(text, limit=limit)
