"""What the files of an agent's sessions take, and which of them may go (MAINT-16, MAINT-17, MAINT-19)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from stat import S_ISREG
from typing import Final

import structlog

from instar.config.config import Config
from instar.config.paths import mirror_sessions_dir
from instar.core.lifecycle.archive_name import parse_archive_name
from instar.core.lifecycle.maintenance_disk import DiskFacts, DiskFile, FileKind, PlannedFile
from instar.core.model.ids import AgentId, Instant
from instar.stores.store import SessionStore

__all__ = ["SessionFiles"]

_TEMPORARY: Final = re.compile(r"\.(?:tmp|new)$|^\.tmp-")
_TRANSCRIPT: Final = re.compile(r"^(?P<id>[0-9a-f-]{36})(?:-topic-[^/]+)?\.jsonl$")

log = structlog.get_logger(__name__)


class SessionFiles:
    """Keeps `instar.gateway.maintenance.DiskKeeper` over the mirror folders of a store."""

    def __init__(self, store: SessionStore, config: Config) -> None:
        self._store = store
        self._config = config

    async def measure(self, agent_id: AgentId) -> DiskFacts:
        """The files of an agent with what each is; transcripts that a session still has are not among them."""
        folder = mirror_sessions_dir(self._config.state_dir, agent_id)
        found = await asyncio.to_thread(lambda: list(_scan(folder)))
        files = []
        for name, kind, size, modified_at in found:
            if kind is not None and not (kind == "orphan" and await self._is_known(name)):
                files.append(DiskFile(name=name, kind=kind, size_bytes=size, modified_at=modified_at))
        return DiskFacts(used_bytes=sum(size for _, _, size, _ in found), files=tuple(files))

    async def remove(self, agent_id: AgentId, files: Sequence[PlannedFile]) -> int:
        """Delete planned files; one that is gone already counts as gone."""
        folder = mirror_sessions_dir(self._config.state_dir, agent_id)
        return await asyncio.to_thread(lambda: sum(_remove(folder / file.name) for file in files))

    async def _is_known(self, name: str) -> bool:
        match = _TRANSCRIPT.match(name)
        if match is None:
            return True
        return bool(await self._store.find_sessions(session_id_prefix=match["id"]))


def _scan(folder: Path) -> Iterator[tuple[str, FileKind | None, int, Instant]]:
    """Name, kind (None for a file in use), size and time of each file of a folder."""
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        try:
            status = path.lstat()
        except FileNotFoundError:
            # The mirror renames its temporary files meanwhile.
            continue
        if S_ISREG(status.st_mode):
            yield path.name, _kind_of(path.name), status.st_size, Instant(status.st_mtime_ns // 1_000_000)


def _kind_of(name: str) -> FileKind | None:
    if parse_archive_name(name) is not None:
        return "archive"
    if _TEMPORARY.search(name):
        return "temporary"
    return "orphan" if _TRANSCRIPT.match(name) else None


def _remove(path: Path) -> bool:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("file_not_removed", path=str(path), error=str(error))
        return False
    return True
