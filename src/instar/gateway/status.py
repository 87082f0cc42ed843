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
from instar.core.policy.levels import THINKING_LEVELS
from instar.core.policy.model_choice import ModelNames
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
    names = parts.models.names(agents.default_id)
    # Without any model the echo answers; pages need one model that is there.
    chosen = [spec for ref in names.allowed if (spec := parts.models.resolve(ref)) is not None] or [default]
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
        model=_describe_model(default, parts, names, is_default=True),
        models=tuple(_describe_model(spec, parts, names, is_default=spec.ref == default.ref) for spec in chosen),
        agents=tuple(
            AgentFacts(
                id=agent.id,
                name=agent.name or "",
                is_default=agent.id == agents.default_id,
                emoji=agent.emoji,
                model=parts.models.default_of(agent.id).ref,
                fallbacks=tuple(spec.ref for spec in parts.models.fallbacks_of(agent.id)),
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
    query: SessionQuery,
) -> GatewayStatus:
    """What is going on, with the sessions that `query` finds."""
    listing = await sessions.list(query, titles=False, last_messages=False)
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


def _describe_model(spec: ModelSpec, parts: GatewayParts, names: ModelNames, *, is_default: bool) -> ModelFacts:
    alias = next((name for name, ref in names.aliases.items() if ref == spec.ref), None)
    levels = [level for level in THINKING_LEVELS if level != "xhigh" or spec.ref in parts.models.xhigh_models()]
    return ModelFacts(
        provider=spec.provider,
        id=spec.id,
        name=spec.name,
        context_window=spec.context_window,
        reasoning=spec.reasoning,
        is_default=is_default,
        alias=alias,
        input_kinds=spec.input_kinds,
        thinking_levels=tuple(levels) if spec.reasoning else (),
    )
