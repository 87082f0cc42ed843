"""The decision at the door: what becomes of a message, in which session, and why (design, section 2; LOSS-1).

Three questions in this order, each with its own room: where does it go (routing), may its sender write (access), does
it wake the agent (activation). A source that names the session itself (RPC, cron) has answered the first and has
proved its right to the gate (LEAK-5), so for it the other two are not asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from instar.core.delivery.route import build_reply_target
from instar.core.model.change import Acceptance, AcceptFacts, NewDelivery, Submission
from instar.core.model.decision import Decision
from instar.core.model.ids import AgentId, DeliveryId, Instant, SessionKey
from instar.core.model.pairing import PairingDraw, Peer
from instar.core.policy.access import (
    Access,
    AccessFacts,
    AccessSettings,
    decide_access,
    find_pairing_peer,
)
from instar.core.policy.activation import ActivationFacts, ActivationSettings, decide_activation, is_addressed
from instar.core.policy.command_kinds import Command, Inline
from instar.core.policy.command_rights import CommandDecision, decide_command
from instar.core.policy.commands import CommandContext, parse_command
from instar.core.policy.ownership import is_begun_by_another
from instar.core.policy.send import ALLOW_ALL, SendPolicy, decide_send
from instar.core.routing.identity import NO_LINKS, Links
from instar.core.routing.key import DEFAULT_MAIN_KEY, parse_key
from instar.core.routing.principal import resolve_place_owner
from instar.core.routing.route import RoutingSettings, route
from instar.core.turn.egress import build_send_facts, find_reply_route
from instar.core.turn.inline import asks_for_status
from instar.core.turn.offer import plan_offer

__all__ = ["Address", "DoorSettings", "decide_acceptance", "find_door_peer", "resolve_address"]


_ANOTHERS: Final = (
    "Your message was not taken in: the conversation under your name was begun by somebody else, and is not shown to "
    "you. Whoever runs this agent can put that right; write again then."
)
"""What somebody is told whose key leads to another's session; not whose it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorSettings:
    """What the decision needs of the configuration, for one channel and agent."""

    access: AccessSettings
    activation: ActivationSettings
    commands: CommandContext
    send_policy: SendPolicy = ALLOW_ALL
    main_key: str = DEFAULT_MAIN_KEY
    links: Links = NO_LINKS


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a message goes. `is_named` is True when its source named the session; `group_id` is the group or room in
    the spelling of keys, empty in direct chats; `owner` is who a new session would belong to, and `member` the sender
    as the people of a group are noted (LEAK-4).
    """

    session_key: SessionKey
    agent_id: AgentId
    group_id: str
    owner: str | None
    is_named: bool
    decisions: tuple[Decision, ...]
    member: str | None = None


def resolve_address(settings: RoutingSettings, submission: Submission, *, default_agent: AgentId) -> Address:
    """The session of a message, by its key if the source named one, else by routing (KEY-12)."""
    key = submission.session_key
    if key is not None:
        agent_id = parse_key(key, main_key=settings.keys.main_key).agent_id or default_agent
        named = Decision(kind="route", outcome=key, rule="KEY-14", inputs={"channel": submission.inbound.channel})
        return Address(
            session_key=key,
            agent_id=agent_id,
            group_id="",
            owner=resolve_place_owner(
                key, settings.keys.links, principal=submission.principal, main_key=settings.keys.main_key
            ),
            is_named=True,
            decisions=(named,),
        )
    found = route(settings, submission.inbound)
    return Address(
        session_key=found.session_key,
        agent_id=found.agent_id,
        group_id="" if found.chat_type == "direct" else found.peer_id,
        owner=found.owner,
        is_named=False,
        decisions=found.decisions,
        member=found.member,
    )


def find_door_peer(submission: Submission, address: Address, settings: DoorSettings) -> Peer | None:
    """The person or group whose approval the decision asks for; None where none is asked for."""
    if address.is_named:
        return None
    facts = _access_facts(submission, is_addressed=False)
    return find_pairing_peer(settings.access, facts, account_id=submission.inbound.account_id)


def decide_acceptance(
    facts: AcceptFacts,
    submission: Submission,
    address: Address,
    settings: DoorSettings,
    *,
    draw: PairingDraw | None = None,
    draw_id: Callable[[], DeliveryId] | None = None,
) -> Acceptance:
    """What becomes of a message: accepted for its lane, observed as group context, or refused with a reason.

    `draw` is what a pairing code is made of, and `draw_id` gives the id of any other sentence that a refusal owes;
    without them none is told.
    """
    if address.is_named:
        return _accept_named(facts, submission, address, settings)
    command = parse_command(submission.inbound.text, settings.commands)
    activation_facts = _activation_facts(facts, submission, address, is_command=_is_command(command))
    is_called = is_addressed(activation_facts, settings.activation.mention_patterns) is not None
    access_facts = _access_facts(submission, is_addressed=is_called)
    access = decide_access(settings.access, access_facts, now=facts.now, pairing=facts.pairing)
    decisions = (*address.decisions, access.as_decision(access_facts))
    if not access.admitted:
        refused = Acceptance(
            status="refused",
            session_key=address.session_key,
            agent_id=address.agent_id,
            reason=access.reason,
            hint=access.hint,
            decisions=decisions,
        )
        return _offer_code(refused, access, submission, draw, now=facts.now)
    began = facts.session.owner if facts.session else None
    if is_begun_by_another(address.session_key, began=began, owner=address.owner, links=settings.links):
        return _refuse_entry(submission, address, draw_id)
    activation_facts = replace(activation_facts, may_command=access.authorised_for_commands)
    override = facts.session.overrides.group_activation if facts.session else None
    activation = decide_activation(settings.activation, activation_facts, override=override)
    swallowed = None if activation.wakes else _swallow(command, access, submission)
    acceptance = Acceptance(
        status="accepted" if activation.wakes else "observed",
        session_key=address.session_key,
        agent_id=address.agent_id,
        authorised=access.authorised_for_commands,
        is_owner=access.is_owner,
        owner=address.owner,
        member=address.member,
        decisions=(*decisions, activation.as_decision(activation_facts)),
    )
    if swallowed is None:
        return acceptance
    return replace(
        acceptance,
        status="refused",
        reason="not_authorised",
        decisions=(*decisions, swallowed.as_decision()),
    )


def _swallow(command: Command | None, access: Access, submission: Submission) -> CommandDecision | None:
    """The refusal of a command whose sender may give none (CMD-33): it is no talk that the group's context should keep.

    None for anything else; what wakes the agent is decided in its lane.
    """
    if command is None:
        return None
    decided = decide_command(
        command,
        is_authorised=access.authorised_for_commands,
        is_owner=access.is_owner,
        is_group=submission.inbound.chat.type != "direct",
    )
    return decided if decided.outcome == "swallow" else None


def _is_command(command: Command | None) -> bool:
    """Whether a message is a command (ACT-6): directives in the midst of its text are not, but for one that asks for an
    answer of its own (STATUS-15).
    """
    if isinstance(command, Inline):
        return command.at_start or asks_for_status(command)
    return command is not None


def _refuse_entry(submission: Submission, address: Address, draw_id: Callable[[], DeliveryId] | None) -> Acceptance:
    """The refusal of a message whose key has come to mean another's session (LEAK-4); its sender is told (LOSS-2)."""
    key = address.session_key
    inputs = {"reason": "anothers_session", "chat": submission.inbound.chat.type}
    deliveries: tuple[NewDelivery, ...] = ()
    if draw_id is not None:
        target = build_reply_target(submission.inbound)
        deliveries = (NewDelivery(delivery_id=draw_id(), target=target, text=_ANOTHERS),)
    return Acceptance(
        status="refused",
        session_key=key,
        agent_id=address.agent_id,
        reason="anothers_session",
        hint=f"The session {key} was begun by somebody else: rename the person in session.identityLinks, or export and "
        f"delete that session (instar sessions delete {key}).",
        deliveries=deliveries,
        decisions=(*address.decisions, Decision(kind="access", outcome="refused", rule="LEAK-4", inputs=inputs)),
    )


def _offer_code(
    refused: Acceptance, access: Access, submission: Submission, draw: PairingDraw | None, *, now: Instant
) -> Acceptance:
    """The refusal with a pairing code and the sentence that tells it, where one is due (LEAK-2)."""
    offer = None if draw is None else plan_offer(access, submission.inbound, draw, now=now)
    return refused if offer is None else replace(refused, code=offer[0], deliveries=(offer[1],))


def _accept_named(facts: AcceptFacts, submission: Submission, address: Address, settings: DoorSettings) -> Acceptance:
    """A message from a source that names the session: refused only where the session may not send (SEND-11).

    A run whose caller takes the answer itself passes: it sends nothing. Commands always pass, so that `/send on` can be
    given and confirmed (SEND-12); text with directives in it asks for a turn like any other.
    """
    way = find_reply_route(submission, facts.session, settings.links)
    asked = build_send_facts(address.session_key, facts.session, way, main_key=settings.main_key)
    verdict = decide_send(settings.send_policy, asked)
    command = parse_command(submission.inbound.text, settings.commands)
    is_command = command is not None and not (isinstance(command, Inline) and command.text)
    options = submission.options
    sends_nothing = options.system or (options.is_run and not options.deliver)
    is_allowed = verdict.allowed or sends_nothing or (is_command and submission.may_command)
    return Acceptance(
        status="accepted" if is_allowed else "refused",
        session_key=address.session_key,
        agent_id=address.agent_id,
        reason=None if is_allowed else "send_denied",
        hint="" if is_allowed else "The session's send policy is deny: /send on, or session.sendPolicy.",
        authorised=submission.may_command,
        is_owner=submission.is_owner,
        owner=address.owner,
        decisions=address.decisions if verdict.allowed else (*address.decisions, verdict.as_decision()),
    )


def _access_facts(submission: Submission, *, is_addressed: bool) -> AccessFacts:
    inbound = submission.inbound
    return AccessFacts(
        chat_type=inbound.chat.type, sender_id=inbound.sender.id, chat_id=inbound.chat.id, is_addressed=is_addressed
    )


def _activation_facts(
    facts: AcceptFacts, submission: Submission, address: Address, *, is_command: bool
) -> ActivationFacts:
    """Whether it answers the agent is known by its channel, or by the receipts of what was sent in its chat (ACT-4)."""
    inbound = submission.inbound
    return ActivationFacts(
        chat_type=inbound.chat.type,
        text=inbound.text,
        group_id=address.group_id,
        mentioned=inbound.mentioned,
        mentions_others=inbound.mentions_others,
        reply_to_agent=inbound.reply_to_agent or facts.answers_agent,
        is_command=is_command,
    )
