"""Gathers how a session stands, for `/status` and the tool `session_status` (STATUS-1…6, WHY-7)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from typing import Final

from instar.core.context.heartbeat import AuthKind
from instar.core.explain.status import StatusFacts
from instar.core.lifecycle.freshness import Freshness, decide_freshness
from instar.core.lifecycle.reset import ResetPolicy, is_provider_owned
from instar.core.model.change import SessionFacts, Submission
from instar.core.model.ids import AgentId, SessionKey
from instar.core.model.session import Overrides, Session
from instar.core.policy.activation import resolve_activation
from instar.core.policy.send import decide_send
from instar.core.routing.key import is_group_key, parse_key
from instar.core.turn.egress import build_send_facts, find_usual_route
from instar.gateway.held import held_settings
from instar.gateway.held_model import model_settings
from instar.gateway.lane import LaneBook
from instar.gateway.parts import GatewayParts
from instar.gateway.queueing import queue_settings
from instar.gateway.sandboxing import describe_tools_place
from instar.gateway.settings import reset_policy
from instar.gateway.turn_services import TurnServices
from instar.gateway.window_now import load_window

__all__ = ["load_status_facts"]

_NO_OVERRIDES = Overrides()
_AUTH: Final[Mapping[AuthKind, str]] = {"api-key": "api key", "oauth": "token of a subscription", "none": "no key"}


async def load_status_facts(
    parts: GatewayParts,
    services: TurnServices,
    lanes: LaneBook,
    key: SessionKey,
    submission: Submission | None = None,
) -> StatusFacts:
    """How the session of a key stands; costs no model call and changes nothing (STATUS-5).

    `submission` is the message that asks, if one does: it is told whether its own answers may leave.
    """
    config, now = parts.config(), parts.clock.now()
    facts = await parts.store.load_facts(key, now)
    session = facts.session
    agent_id = parse_key(key, main_key=config.routing.keys.main_key).agent_id or config.agents.default_id
    channel = session.origin.channel if session else None
    overrides = session.overrides if session else _NO_OVERRIDES
    model = services.resolve_model(session, None) if session else parts.models.default_of(agent_id)
    queue = queue_settings(parts, channel, overrides)
    policy = reset_policy(config, key, channel, session=session)
    window = await load_window(parts, session)
    lane = lanes.find(key)
    zone = parts.clock.zone()
    keys = config.routing.keys
    way = find_usual_route(submission, session, keys.links)
    send = decide_send(config.send, build_send_facts(key, session, way, main_key=keys.main_key))
    usage = await parts.store.sum_usage(session_key=key)
    costs = [row.cost_usd for row in usage if row.cost_usd is not None]
    return StatusFacts(
        version=parts.version,
        now=now,
        zone=zone,
        key=key,
        session=session,
        model=model.ref,
        auth_kind=_AUTH[model.auth],
        window_used=window.tokens,
        window_source=window.source,
        window_counted_at=window.measured_at,
        window_tokens=model.context_window,
        queue_mode=queue.mode,
        queue_source=str(queue.sources.get("mode", "default")),
        waiting=lane.waiting_count if lane else 0,
        running=len(lane.active_turn_ids) if lane else 0,
        send_verdict=send.verdict,
        policy=policy,
        freshness=_freshness(facts, policy, zone),
        billed_usd=sum(costs) if costs else None,
        activation=_activation(parts, session, agent_id, key),
        runtime=describe_tools_place(config, agent_id, key, session),
        spendings=await services.spending.list_spendings(facts, agent_id, channel=channel or "", model=model),
        settings={
            **held_settings(
                config,
                session,
                agent_id,
                key,
                model=model.ref,
                queue=queue,
                send=send,
                policy=policy,
                supports_xhigh=model.ref in parts.models.xhigh_models(),
                submission=submission,
            ),
            **model_settings(config, agent_id, key, model=model),
        },
    )


def _freshness(facts: SessionFacts, policy: ResetPolicy, zone: tzinfo) -> Freshness | None:
    """Whether the session would go on now; None where there is none."""
    session = facts.session
    if session is None:
        return None
    return decide_freshness(
        session.lifecycle,
        header_at=facts.transcript.header.timestamp if facts.transcript else None,
        policy=policy,
        now=facts.now,
        zone=zone,
        provider_owned=is_provider_owned(session),
    )


def _activation(parts: GatewayParts, session: Session | None, agent_id: AgentId, key: SessionKey) -> str | None:
    """What wakes the agent here; None outside groups."""
    if session is None or not is_group_key(key) or session.origin.channel is None:
        return None
    settings = parts.config().activation(session.origin.channel, agent_id)
    found = resolve_activation(
        settings,
        chat_type=session.origin.chat_type or "group",
        group_id=parse_key(key).peer_id or "",
        override=session.overrides.group_activation,
    )
    return f"{found.value} ({found.source})"
