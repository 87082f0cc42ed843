"""What the gateway says of itself: facts that hold, and what is going on (RPC-21, STATUS-1)."""

from __future__ import annotations

from collections.abc import Mapping

from instar.core.model.ids import ChannelName, Instant
from instar.core.model.query import SessionQuery
from instar.core.model.view import (
    AgentFacts,
    ChannelFacts,
    CommandFacts,
    GatewayFacts,
    GatewayStatus,
    ModelFacts,
)
from instar.core.policy.command_help import COMMAND_HELP
from instar.core.routing.key import main_session_key
from instar.gateway.lane import LaneBook
from instar.gateway.parts import GatewayParts
from instar.gateway.sessions import Sessions
from instar.ports.runner import ModelSpec

__all__ = ["build_facts", "load_status"]


def build_facts(parts: GatewayParts, *, started_at: Instant) -> GatewayFacts:
    """What does not change from one request to the next."""
    config = parts.config()
    agents = config.agents
    default = parts.models.default_of(agents.default_id)
    keys = config.routing.keys
    return GatewayFacts(
        version=parts.version,
        started_at=started_at,
        default_agent_id=agents.default_id,
        main_key=keys.main_key,
        main_session_key=main_session_key(keys, agents.default_id),
        scope=keys.scope,
        store_path=parts.store_path,
        state_dir=parts.state_dir,
        config_path=parts.config_path,
        model=_describe_model(default, parts, is_default=True),
        models=tuple(_describe_model(spec, parts, is_default=spec.ref == default.ref) for spec in parts.models.all()),
        agents=tuple(
            AgentFacts(
                id=agent.id,
                name=agent.name or "",
                is_default=agent.id == agents.default_id,
                model=parts.models.default_of(agent.id).ref,
                workspace=config.workspace(agent.id),
            )
            for agent in agents.all
        ),
        commands=tuple(
            CommandFacts(name=one.name, description=one.description, takes_arguments=bool(one.arguments))
            for one in COMMAND_HELP
        ),
    )


async def load_status(
    parts: GatewayParts,
    lanes: LaneBook,
    sessions: Sessions,
    channel_errors: Mapping[ChannelName, str],
    *,
    recent: int,
) -> GatewayStatus:
    """What is going on, with the `recent` most recently used sessions."""
    listing = await sessions.list(SessionQuery(limit=recent), titles=False, last_messages=False)
    store = await parts.store.describe()
    config = parts.config()
    channels = tuple(
        ChannelFacts(
            name=name,
            type=config.channel_type(name),
            running=name not in channel_errors,
            error=channel_errors.get(name),
        )
        for name in parts.channels
    )
    deliveries = store.get("deliveries_open", 0)
    return GatewayStatus(
        sessions=listing.total,
        recent=listing.sessions,
        channels=channels,
        runs_active=sum(len(lane.active_turn_ids) for lane in lanes),
        messages_waiting=sum(lane.waiting_count for lane in lanes),
        deliveries_waiting=deliveries if isinstance(deliveries, int) else 0,
        store=store,
    )


def _describe_model(spec: ModelSpec, parts: GatewayParts, *, is_default: bool) -> ModelFacts:
    aliases = parts.models.names(parts.config().agents.default_id).aliases
    alias = next((name for name, ref in aliases.items() if ref == spec.ref), None)
    return ModelFacts(
        provider=spec.provider,
        id=spec.id,
        name=spec.name,
        context_window=spec.context_window,
        reasoning=spec.reasoning,
        is_default=is_default,
        alias=alias,
    )
