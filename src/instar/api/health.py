"""How the gateway is, as clients are told: the answer of `health` and the event of that name (RPC-21, RPC-38)."""

from __future__ import annotations

from collections.abc import Mapping

from instar.core.model.ids import Instant
from instar.core.model.view import ChannelFacts, GatewayFacts, GatewayStatus

__all__ = ["build_health", "build_own_health", "describe_channel"]


def build_health(facts: GatewayFacts, status: GatewayStatus, *, now: Instant, took_ms: int) -> dict[str, object]:
    """What the gateway's owner is told. `took_ms` is how long it took to find out."""
    return {
        "ok": True,
        "ts": now,
        "durationMs": took_ms,
        "channels": {channel.name: describe_channel(channel) for channel in status.channels},
        "channelOrder": [channel.name for channel in status.channels],
        "channelLabels": {channel.name: channel.name for channel in status.channels},
        "heartbeatSeconds": 0,
        "defaultAgentId": facts.default_agent_id,
        "agents": [
            {"agentId": agent.id, "name": agent.name or agent.id, "isDefault": agent.is_default}
            for agent in facts.agents
        ],
        "sessions": {"path": facts.store_path, **_sum_up_sessions(status, now)},
    }


def build_own_health(facts: GatewayFacts, status: GatewayStatus, *, now: Instant) -> dict[str, object]:
    """What a person is told: that it works, and of their own sessions. What it is made of is its owner's affair."""
    sessions = _sum_up_sessions(status, now)
    return {"ok": True, "ts": now, "defaultAgentId": facts.default_agent_id, "sessions": sessions}


def _sum_up_sessions(status: GatewayStatus, now: Instant) -> Mapping[str, object]:
    """How many sessions there are, and the newest of them."""
    recent = [(view.session.key, view.session.lifecycle.updated_at) for view in status.recent]
    return {
        "count": status.sessions,
        "recent": [
            {"key": key, "updatedAt": updated_at, "age": None if updated_at is None else max(0, now - updated_at)}
            for key, updated_at in recent
        ],
    }


def describe_channel(channel: ChannelFacts) -> dict[str, object]:
    """Whether a channel runs, and what keeps it from that."""
    facts: dict[str, object] = {"type": channel.type, "configured": True, "running": channel.running}
    return facts if channel.error is None else {**facts, "error": channel.error}
