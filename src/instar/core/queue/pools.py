"""Which runs share the places that a gateway has (QUEUE-2).

A turn of a session that an agent spawned must not wait for the turn that spawned it and waits for it; a job by the
clock must not take a place from somebody who is waiting for an answer. So each of these has places of its own.
"""

from __future__ import annotations

from typing import Literal

from instar.core.model.ids import SessionKey
from instar.core.queue.settings import QueueConfig
from instar.core.routing.key import parse_key

__all__ = ["Pool", "pool_size", "resolve_pool"]

Pool = Literal["main", "subagent", "cron"]
"""Who shares places: people's conversations and whatever is not named, sessions that agents spawned, jobs."""


def resolve_pool(key: SessionKey) -> Pool:
    """Whose places the runs of a session take."""
    match parse_key(key).type:
        case "subagent" | "acp":
            return "subagent"
        case "cron":
            return "cron"
        case _:
            return "main"


def pool_size(config: QueueConfig, pool: Pool) -> int:
    """How many runs of a pool may be under way at once."""
    return {"main": config.max_concurrent, "subagent": config.max_subagents, "cron": config.max_cron_runs}[pool]
