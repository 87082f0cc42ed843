"""Methods about the gateway itself (RPC-21, RPC-22)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from instar.api.call import Call, Handler
from instar.api.health import build_health, build_own_health, describe_channel
from instar.api.rows import build_defaults, build_view_row
from instar.core.model.ids import Instant
from instar.core.model.view import GatewayFacts, GatewayStatus

__all__ = ["HANDLERS"]

RECENT: Final = 10


async def load_health(call: Call) -> object:
    """`health`."""
    began = call.services.clock.monotonic()
    status = await call.gateway.status(recent=5, owner_in=call.owner_in)
    facts, now = call.gateway.facts(), call.services.clock.now()
    if not call.sight.sees_all:
        return build_own_health(facts, status, now=now)
    return build_health(facts, status, now=now, took_ms=int((call.services.clock.monotonic() - began) * 1000))


async def load_status(call: Call) -> object:
    """`status`."""
    status = await call.gateway.status(recent=RECENT, owner_in=call.owner_in)
    facts, now = call.gateway.facts(), call.services.clock.now()
    if not call.sight.sees_all:
        return _personal_status(status, facts, now)
    config = call.services.config.state()
    return {
        "runtimeVersion": facts.version,
        "ts": now,
        "gateway": {
            "version": facts.version,
            "startedAt": facts.started_at,
            "uptimeMs": max(0, now - facts.started_at),
            "stateDir": facts.state_dir,
            "configPath": facts.config_path,
            "activeRuns": status.runs_active,
            "messagesWaiting": status.messages_waiting,
            "deliveriesWaiting": status.deliveries_waiting,
        },
        "channels": [{"name": channel.name, **describe_channel(channel)} for channel in status.channels],
        "agents": [agent.id for agent in facts.agents],
        "config": {
            "path": config.path,
            "valid": config.problem is None,
            "problem": config.problem,
            "waiting": list(config.waiting),
            "loadedAt": config.loaded_at,
        },
        "store": dict(status.store),
        "sessions": {
            "paths": [facts.store_path],
            "count": status.sessions,
            "defaults": build_defaults(facts),
            "recent": [build_view_row(view) for view in status.recent],
        },
    }


def _personal_status(status: GatewayStatus, facts: GatewayFacts, now: Instant) -> dict[str, object]:
    """`status` for a person: their own sessions, and nothing of the machine or of others (LEAK-4)."""
    return {
        "runtimeVersion": facts.version,
        "ts": now,
        "gateway": {
            "version": facts.version,
            "startedAt": facts.started_at,
            "uptimeMs": max(0, now - facts.started_at),
        },
        "sessions": {
            "count": status.sessions,
            "defaults": build_defaults(facts),
            "recent": [build_view_row(view) for view in status.recent],
        },
    }


HANDLERS: Final[Mapping[str, Handler]] = {
    "health": load_health,
    "status": load_status,
}
