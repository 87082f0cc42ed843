"""Methods about the gateway itself (RPC-21, RPC-22)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from instar.api.call import Call, Handler
from instar.api.rows import build_defaults, build_view_row
from instar.core.model.ids import Instant
from instar.core.model.view import ChannelFacts, GatewayFacts, GatewayStatus

__all__ = ["HANDLERS"]

RECENT: Final = 10


async def load_health(call: Call) -> object:
    """`health`."""
    began = call.services.clock.monotonic()
    status = await call.gateway.status(recent=5, owner_in=call.owner_in)
    facts, now = call.gateway.facts(), call.services.clock.now()
    sessions: dict[str, object] = _session_summary(status, now)
    if not call.sight.sees_all:
        # What the gateway is made of is its owner's affair: a person learns that it works, and of their own sessions.
        return {"ok": True, "ts": now, "defaultAgentId": facts.default_agent_id, "sessions": sessions}
    return {
        "ok": True,
        "ts": now,
        "durationMs": int((call.services.clock.monotonic() - began) * 1000),
        "channels": {channel.name: _channel(channel) for channel in status.channels},
        "channelOrder": [channel.name for channel in status.channels],
        "channelLabels": {channel.name: channel.name for channel in status.channels},
        "heartbeatSeconds": 0,
        "defaultAgentId": facts.default_agent_id,
        "agents": [
            {"agentId": agent.id, "name": agent.name or agent.id, "isDefault": agent.is_default}
            for agent in facts.agents
        ],
        "sessions": {"path": facts.store_path, **sessions},
    }


def _session_summary(status: GatewayStatus, now: Instant) -> dict[str, object]:
    recent = [(view.session.key, view.session.lifecycle.updated_at) for view in status.recent]
    return {
        "count": status.sessions,
        "recent": [
            {"key": key, "updatedAt": updated_at, "age": None if updated_at is None else max(0, now - updated_at)}
            for key, updated_at in recent
        ],
    }


def _channel(channel: ChannelFacts) -> dict[str, object]:
    facts: dict[str, object] = {"type": channel.type, "configured": True, "running": channel.running}
    return facts if channel.error is None else {**facts, "error": channel.error}


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
        "channels": [{"name": channel.name, **_channel(channel)} for channel in status.channels],
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
