"""Ends the work of sub-agents with that of the session that started them (CMD-26, RPC-35).

What belongs here: finding the sessions below another and emptying their lanes. What does not: what a sub-agent may
and has when it begins (`instar.gateway.spawning`).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

import structlog

from instar.core.model.change import Noted, SessionChange
from instar.core.model.decision import Decision
from instar.core.model.ids import SessionKey
from instar.core.model.query import SessionQuery
from instar.errors import Unavailable
from instar.gateway.lane import LaneBook
from instar.gateway.parts import GatewayParts
from instar.gateway.turn_services import TurnServices

__all__ = ["StoppedSubAgents", "stop_sub_agents"]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppedSubAgents:
    """How many sub-agents were stopped at their work, and how many did not stop in time."""

    stopped: int
    busy: int


async def stop_sub_agents(
    parts: GatewayParts, services: TurnServices, lanes: LaneBook, key: SessionKey, *, rule: Literal["CMD-26", "RPC-35"]
) -> StoppedSubAgents:
    """Stop what runs and waits in the sessions that `key` started, then in those that they started, and so on.

    Level by level, since one that has stopped starts no more. A store that refuses only makes it late.
    """
    seen = {key}
    level = [key]
    outcomes: list[bool | None] = []
    while level:
        found = [child for parent in level for child in await _children(parts, services, parent)]
        level = [child for child in dict.fromkeys(found) if child not in seen]
        seen.update(level)
        outcomes += await asyncio.gather(*(_stop_one(services, lanes, child, by=key, rule=rule) for child in level))
    return StoppedSubAgents(stopped=outcomes.count(True), busy=outcomes.count(None))


async def _children(parts: GatewayParts, services: TurnServices, key: SessionKey) -> list[SessionKey]:
    query = SessionQuery(spawned_by=key, archived=None, limit=None, incognito=True)
    page = await services.insist(lambda: parts.store.list_sessions(query))
    return [session.key for session in page.sessions]


async def _stop_one(
    services: TurnServices, lanes: LaneBook, key: SessionKey, *, by: SessionKey, rule: str
) -> bool | None:
    """Whether something was stopped; None where it did not stop in time."""
    lane = lanes.find(key)
    if lane is None:
        return False
    try:
        ended = await lane.abort("stop")
    except Unavailable as error:
        log.warning("sub_agent_not_stopped", session_key=key, error=str(error))
        return None
    if ended:
        decision = Decision(kind="queue", outcome="aborted", rule=rule, inputs={"runs": len(ended), "by": by})
        change = SessionChange(decisions=(Noted(decision=decision),))
        await services.insist(lambda: services.change("note_abort", key, lambda _facts: change))
    return bool(ended)
