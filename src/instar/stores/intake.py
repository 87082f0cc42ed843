"""Foreign transcripts that come as bytes or as a file, and where they are put (STORE-6)."""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path
from typing import Final

from instar.core.model.ids import AgentId, Instant, SessionId, SessionKey
from instar.core.model.keeping import ImportedTranscript
from instar.core.routing.key import build_source_key
from instar.core.routing.reserved import check_storable
from instar.errors import TranscriptError
from instar.ports.store import Store
from instar.stores.importer import ImportLimits, describe_findings, read_transcript_file, store_transcript_file
from instar.system.collector import collector_at_rest

__all__ = ["TranscriptIntake"]

SENT: Final = ImportLimits(
    file_bytes=64 * 1024 * 1024,
    fix="Stop the gateway and import it then, or cut it into several files, each with the header line first.",
)
"""What a running gateway takes: a file is read as a whole, in memory that others need too. It is stored in pieces, for
one of which others wait at most (`staging`).
"""

_FREED_ENTRIES: Final = 2_000

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_NAME_CHARS: Final = 100


class TranscriptIntake:
    """Keeps `instar.gateway.parts.Intake` over one store."""

    def __init__(self, store: Store, *, limits: ImportLimits | None = None) -> None:
        self._store = store
        self._limits = limits or ImportLimits()

    async def take_bytes(
        self, data: bytes, *, name: str, key: SessionKey | None, agent_id: AgentId, now: Instant
    ) -> ImportedTranscript:
        """Store what was sent; `name` is that of its file, whose ending tells whether it is packed."""
        with tempfile.TemporaryDirectory(prefix="instar-import-") as folder:
            path = Path(folder) / (_UNSAFE.sub("-", name)[-_NAME_CHARS:].lstrip(".") or "transcript.jsonl")
            await asyncio.to_thread(path.write_bytes, data)
            try:
                return await self._take(path, SENT, key=key, agent_id=agent_id, now=now)
            except TranscriptError as error:
                # Whoever sent the file knows it by its name, not by the place it was put for a moment.
                what, why = error.what.replace(str(path), name), error.why.replace(str(path), name)
                raise TranscriptError(what, why=why, fix=error.fix, line=error.line) from None

    async def take_file(
        self, path: Path, *, key: SessionKey | None, agent_id: AgentId, now: Instant
    ) -> ImportedTranscript:
        """Store a file's transcript under `key`, or as a thread of its own.

        Raises `TranscriptError`, and `InvalidRequest` for a reserved key.
        """
        return await self._take(path, self._limits, key=key, agent_id=agent_id, now=now)

    async def _take(
        self, path: Path, limits: ImportLimits, *, key: SessionKey | None, agent_id: AgentId, now: Instant
    ) -> ImportedTranscript:
        with collector_at_rest():
            return await self._read_and_store(path, limits, key=key, agent_id=agent_id, now=now)

    async def _read_and_store(
        self, path: Path, limits: ImportLimits, *, key: SessionKey | None, agent_id: AgentId, now: Instant
    ) -> ImportedTranscript:
        file = await asyncio.to_thread(read_transcript_file, path, limits)
        chosen = key or build_source_key(agent_id, "dashboard", file.header.id)
        check_storable(chosen)
        stored = (await store_transcript_file(self._store, file, key=chosen, agent_id=agent_id, now=now)).stored
        imported = ImportedTranscript(
            key=chosen if stored else await self._find(file.header.id) or chosen,
            session_id=file.header.id,
            stored=stored,
            entries=len(file.entries),
            from_version=file.from_version,
            findings=describe_findings(file),
        )
        entries = list(file.entries)
        del file
        while entries:
            # To free 100,000 entries at once takes as long as ten turns.
            del entries[-_FREED_ENTRIES:]
            await asyncio.sleep(0)
        return imported

    async def _find(self, session_id: SessionId) -> SessionKey | None:
        """Where a transcript is that was stored before."""
        found = await self._store.find_sessions(session_id_prefix=session_id)
        return found[0].key if found else None
