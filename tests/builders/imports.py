"""A transcript file brought into a store, as an import does it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from instar.core.model.ids import AgentId, Instant, SessionKey
from instar.ports.store import Store
from instar.stores.importer import ImportLimits, ImportReport, read_transcript_file, store_transcript_file

__all__ = ["import_transcript_file"]


async def import_transcript_file(
    store: Store, path: Path, *, key: SessionKey, agent_id: AgentId, now: Instant
) -> ImportReport:
    """Read a file and store its transcript under a session key."""
    file = await asyncio.to_thread(read_transcript_file, path, ImportLimits())
    return await store_transcript_file(store, file, key=key, agent_id=agent_id, now=now)
