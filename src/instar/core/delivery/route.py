"""Where a reply goes: the last route of a session, the route of a message, docking (ENTRY-3, ENTRY-14, DOCK-1…8).

What belongs here: routes as values and how messages and `/dock-<channel>` change them. What does not: who is whom
(`instar.core.routing.identity`), whether anything may leave (`instar.core.policy.send`), and sending it.

A session remembers one route: where the last message came from, or where its person docked it. A docked route holds
until another dock command: messages from elsewhere do not move it (DOCK-7). It holds for the answers to the person who
is reached there, and for nobody else's: in a session that several people share, everybody else is answered where they
wrote (LEAK-4). Ids keep the spelling of their platform,
since platforms compare them as they are (NORM-8, DOCK-6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from instar.core.model.change import InboxItem, Submission
from instar.core.model.decision import Decision
from instar.core.model.ids import AccountId, ChannelName
from instar.core.model.message import ChatType, Inbound, Target
from instar.core.model.session import Delivery, Naming, Origin, Session
from instar.core.routing.grammar import is_group_key
from instar.core.routing.identity import Links, are_one_person, resolve_dock_target
from instar.core.routing.normalize import DEFAULT_ACCOUNT, NO_NUMBERS, normalize_peer

__all__ = [
    "DockDecision",
    "DockFacts",
    "DockOutcome",
    "ReplyRoute",
    "apply_inbound_route",
    "build_reply_target",
    "decide_dock",
    "decide_reply_route",
    "holds_dock",
    "is_pinned_to_another",
    "resolve_last_target",
    "resolve_route",
]

DockOutcome = Literal["docked", "undocked", "not_direct", "sender_unknown", "not_linked", "no_session", "already_there"]
"""What becomes of a dock command; all but the first two change nothing and have a sentence of their own (DOCK-2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyRoute:
    """Where a reply goes. `target` is None when the session has no route: the reply stays inside.

    ``others_dock`` says that the session is docked for another person than the one who wrote.
    """

    target: Target | None
    rule: str
    source: Literal["docked", "others_dock", "message", "last", "none"]

    def as_decision(self) -> Decision:
        """The record of this decision (WHY-1)."""
        target = self.target
        return Decision(
            kind="deliver",
            outcome=target.channel if target else "nowhere",
            rule=self.rule,
            inputs={"source": self.source, "chat": target.chat_type if target else None},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DockFacts:
    """Who asks to be answered where. `sender_id` has the platform's spelling.

    `target_account` is the account of the wanted channel that sends, None if it has only one.
    """

    chat_type: ChatType
    channel: ChannelName
    sender_id: str
    target_channel: ChannelName
    target_account: AccountId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DockDecision:
    """The answer; `delivery` is the session's new route, None if nothing changes."""

    outcome: DockOutcome
    rule: str
    delivery: Delivery | None = None

    def as_decision(self, facts: DockFacts) -> Decision:
        """The record of this decision (WHY-1)."""
        return Decision(
            kind="command",
            outcome=self.outcome,
            rule=self.rule,
            inputs={"channel": facts.channel, "target": facts.target_channel},
        )


def build_reply_target(inbound: Inbound) -> Target:
    """Where the answer to `inbound` goes by itself: its chat and thread; in a direct chat without id, its sender."""
    chat = inbound.chat
    return Target(
        channel=inbound.channel,
        account_id=inbound.account_id,
        to=chat.id if chat.id.strip() else inbound.sender.id,
        chat_type=chat.type,
        thread_id=chat.thread_id,
    )


def resolve_route(item: InboxItem) -> Target | None:
    """The place a message came from; None for a source that names the session itself (RPC, cron, hooks)."""
    return None if item.submission.session_key is not None else build_reply_target(item.submission.inbound)


def apply_inbound_route(
    session: Session,
    submission: Submission,
    *,
    pinned_sender: str | None = None,
    numbers: Mapping[str, str] = NO_NUMBERS,
) -> Session:
    """The session after a message for it: where it came from, and where answers go now (ENTRY-2, ENTRY-3).

    A source that names the session itself (RPC, cron, hooks) is no place to answer to and changes nothing.
    `pinned_sender` is the only person whom the allow-list of a shared main session names; messages of others leave the
    route alone (ENTRY-14). May be applied twice.
    """
    if submission.session_key is not None:
        return session
    inbound = submission.inbound
    target = build_reply_target(inbound)
    delivery = session.delivery
    if not delivery.docked and not is_pinned_to_another(inbound, pinned_sender, numbers):
        delivery = Delivery(
            channel=target.channel, to=target.to, account_id=target.account_id, thread_id=target.thread_id
        )
    return replace(
        session,
        origin=_move_origin(session.origin, inbound, target),
        naming=_name_place(session.naming, inbound),
        delivery=delivery,
    )


def is_pinned_to_another(inbound: Inbound, pinned_sender: str | None, numbers: Mapping[str, str] = NO_NUMBERS) -> bool:
    """Whether a direct message comes from somebody other than the one person a session is pinned to (ENTRY-14).

    `numbers` are the phone numbers of hidden WhatsApp ids, as far as they are known (NORM-5).
    """
    if pinned_sender is None or inbound.chat.type != "direct":
        return False
    mine, pinned = (
        normalize_peer(inbound.channel, kind="direct", peer_id=each, numbers=numbers)
        for each in (inbound.sender.id, pinned_sender)
    )
    return mine != pinned


def resolve_last_target(session: Session) -> Target | None:
    """The session's remembered route as a target; None if it has none (CRON-8, SESSTOOL-10)."""
    delivery = session.delivery
    if not delivery.channel or not delivery.to:
        return None
    return Target(
        channel=delivery.channel,
        account_id=delivery.account_id or DEFAULT_ACCOUNT,
        to=delivery.to,
        # A docked route leads to a person; any other is the place the last message came from.
        chat_type="direct" if delivery.docked else session.origin.chat_type or "direct",
        thread_id=delivery.thread_id,
    )


def holds_dock(session: Session, inbound: Inbound, links: Links) -> bool:
    """Whether a docked route is for the answer to a message: its sender wrote directly and is reached there (DOCK-7).

    A session may be shared by several people, and a group may share it: whoever docked it has spoken for themselves.
    """
    delivery = session.delivery
    if not delivery.docked or inbound.chat.type != "direct" or not delivery.channel or not delivery.to:
        return False
    sender, docked = (
        (channel, normalize_peer(channel, kind="direct", peer_id=peer_id, numbers=links.numbers))
        for channel, peer_id in ((inbound.channel, inbound.sender.id), (delivery.channel, delivery.to))
    )
    return are_one_person(links, sender, docked)


def decide_reply_route(session: Session | None, message_target: Target | None, *, is_dockers: bool) -> ReplyRoute:
    """Where a reply goes: the docked route, else back to the message, else the last route (ENTRY-3, DOCK-7).

    `message_target` is the place of the message that is answered; None for a turn that nobody's message began.
    `is_dockers` says whether the session's dock is for who wrote it (`holds_dock`); nobody's message goes there.
    """
    last = resolve_last_target(session) if session is not None else None
    is_docked = last is not None and session is not None and session.delivery.docked
    if is_docked and (is_dockers or message_target is None):
        return ReplyRoute(target=last, rule="DOCK-7", source="docked")
    if is_docked:
        return ReplyRoute(target=message_target, rule="LEAK-4", source="others_dock")
    if message_target is not None:
        return ReplyRoute(target=message_target, rule="ENTRY-3", source="message")
    if last is not None:
        return ReplyRoute(target=last, rule="ENTRY-3", source="last")
    return ReplyRoute(target=None, rule="ENTRY-3", source="none")


def decide_dock(session: Session | None, facts: DockFacts, links: Links) -> DockDecision:
    """Whether the session's answers go to the sender's place on another channel from now on (DOCK-2…5).

    Docking to the channel one writes from undoes a dock: the route follows the messages again (DOCK-7). A client that
    names a group's session writes from no group, so the session is asked too: its words stay where they are (LEAK-4).
    """
    if facts.chat_type != "direct" or (session is not None and is_group_key(session.key)):
        return DockDecision(outcome="not_direct", rule="DOCK-2")
    sender = normalize_peer(facts.channel, kind="direct", peer_id=facts.sender_id, numbers=links.numbers)
    if not sender:
        return DockDecision(outcome="sender_unknown", rule="DOCK-2")
    to = resolve_dock_target(
        links, source_channel=facts.channel, source_peer_id=sender, target_channel=facts.target_channel
    )
    if to is None:
        return DockDecision(outcome="not_linked", rule="DOCK-3")
    if session is None:
        return DockDecision(outcome="no_session", rule="DOCK-2")
    is_home = facts.target_channel == facts.channel
    wanted = Delivery(
        channel=facts.target_channel,
        to=to,
        account_id=facts.target_account or DEFAULT_ACCOUNT,
        docked=not is_home,
    )
    if replace(session.delivery, thread_id=None) == wanted:
        return DockDecision(outcome="already_there", rule="DOCK-2")
    return DockDecision(outcome="undocked" if is_home else "docked", rule="DOCK-4", delivery=wanted)


def _move_origin(origin: Origin, inbound: Inbound, target: Target) -> Origin:
    is_direct = inbound.chat.type == "direct"
    label = inbound.sender.name if is_direct else inbound.chat.title
    return replace(
        origin,
        chat_type=inbound.chat.type,
        channel=inbound.channel,
        group_id=None if is_direct else inbound.chat.id,
        label=label or origin.label,
        provider=inbound.channel,
        surface=inbound.channel,
        from_id=inbound.sender.id,
        to_id=target.to,
        account_id=inbound.account_id,
        thread_id=inbound.chat.thread_id,
    )


def _name_place(naming: Naming, inbound: Inbound) -> Naming:
    """What a group is called now (ENTRY-2); a direct chat has no place to name."""
    chat = inbound.chat
    if chat.type == "direct":
        return naming
    if chat.type == "group":
        return replace(naming, subject=chat.title or naming.subject)
    return replace(naming, group_channel=chat.title or naming.group_channel, space=chat.space_id or naming.space)
