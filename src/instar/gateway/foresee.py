"""Asks of a message what would become of it, without taking it (WHY-3)."""

from __future__ import annotations

from instar.core.explain.story import ask, tell
from instar.core.lifecycle.freshness import decide_freshness
from instar.core.lifecycle.reset import is_provider_owned
from instar.core.model.change import Acceptance, AcceptFacts, SessionFacts, Submission
from instar.core.model.decision import RecordedDecision
from instar.core.model.ids import InboundId
from instar.core.model.message import Inbound
from instar.core.model.pairing import PairingFacts
from instar.core.model.session import Overrides
from instar.core.model.view import ForeseenMessage, ToldDecision
from instar.core.policy.pairing import build_facts
from instar.core.policy.resolve import LEVEL_FIELDS, resolve_plain_settings
from instar.core.policy.send import decide_send
from instar.core.policy.tools import Speaker
from instar.core.turn.door import decide_acceptance, resolve_address
from instar.core.turn.egress import build_send_facts, find_reply_route
from instar.core.turn.foresee import Foreseen, foresee_decisions
from instar.core.turn.levels import build_level_layers
from instar.errors import NotFound
from instar.gateway.parts import GatewayParts
from instar.gateway.queueing import queue_settings
from instar.gateway.settings import door_settings, reset_policy
from instar.gateway.tool_policy import foresee_tools

__all__ = ["foresee_message"]


async def foresee_message(parts: GatewayParts, inbound: Inbound) -> ForeseenMessage:
    """What would become of a message of a channel now. Raises `NotFound` for a channel that is not configured."""
    config, now = parts.config(), parts.clock.now()
    if inbound.channel not in config.channels:
        configured = (
            f"the channels are {', '.join(sorted(config.channels))}" if config.channels else "none is configured"
        )
        raise NotFound(f"There is no channel {inbound.channel}", why=configured)
    submission = Submission(inbound=inbound)
    address = resolve_address(config.routing, submission, default_agent=config.agents.default_id)
    settings = door_settings(
        config,
        inbound.channel,
        agent_id=address.agent_id,
        names=parts.models.names(address.agent_id),
        is_group=inbound.chat.type != "direct",
    )
    facts = await parts.store.load_facts(address.session_key, now)
    waiting = build_facts(await parts.store.load_pairings())
    known = waiting.get((inbound.channel, inbound.account_id), PairingFacts())
    accept = AcceptFacts(inbound_id=InboundId("foreseen"), now=now, session=facts.session, pairing=known)
    acceptance = decide_acceptance(accept, submission, address, settings)
    foreseen = _ask_further(parts, facts, acceptance, inbound)
    zone = parts.clock.zone()
    rows = [
        RecordedDecision(id=0, at=now, decision=decision, session_key=address.session_key)
        for decision in foresee_decisions(foreseen)
    ]
    return ForeseenMessage(
        status=acceptance.status,
        reason=acceptance.reason,
        hint=acceptance.hint,
        session_key=address.session_key,
        agent_id=address.agent_id,
        next_expiry_at=foreseen.freshness.next_expiry_at if foreseen.freshness else None,
        decisions=tuple(ToldDecision(recorded=row, question=ask(row), sentence=tell(row, zone)) for row in rows),
    )


def _ask_further(parts: GatewayParts, facts: SessionFacts, acceptance: Acceptance, inbound: Inbound) -> Foreseen:
    """What the session, its queue, its tools and its send policy would say."""
    config, session, channel = parts.config(), facts.session, inbound.channel
    speaker = Speaker(
        channel=channel,
        account_id=inbound.account_id,
        chat_type=inbound.chat.type,
        peer_id=inbound.sender.id,
        is_owner=acceptance.is_owner,
        chat_id=inbound.chat.id,
    )
    policy = reset_policy(config, facts.key, channel, session=session, submission=Submission(inbound=inbound))
    freshness = None
    if session is not None:
        header_at = facts.transcript.header.timestamp if facts.transcript else None
        freshness = decide_freshness(
            session.lifecycle,
            header_at=header_at,
            policy=policy,
            now=facts.now,
            zone=parts.clock.zone(),
            provider_owned=is_provider_owned(session),
        )
    overrides = session.overrides if session else Overrides()
    keys = config.routing.keys
    way = find_reply_route(Submission(inbound=inbound), session, keys.links)
    send = build_send_facts(facts.key, session, way, main_key=keys.main_key)
    settings = resolve_plain_settings(
        build_level_layers(config.levels, session, agent_id=acceptance.agent_id, submission=Submission(inbound=inbound))
    )
    return Foreseen(
        acceptance=acceptance,
        freshness=freshness,
        policy=policy,
        queue=queue_settings(parts, inbound.channel, overrides),
        send=decide_send(config.send, send),
        tools=foresee_tools(
            config,
            acceptance.agent_id,
            facts.key,
            session,
            speaker=speaker,
            elevated=str(settings["elevatedLevel"].value),
        ),
        levels={name: settings[name] for name in LEVEL_FIELDS},
    )
