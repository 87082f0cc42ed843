"""A store with its mirror in a folder, for tests that look at the files."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from instar.core.model.ids import AgentId, SessionId
from instar.core.transcript.codec import format_entry, format_header
from instar.stores.mirror import Mirror
from instar.stores.mirror_places import MirrorPlaces
from instar.testing.clock import ManualClock
from tests.builders.store import NOW, SID, SessionTalk, memory_store

__all__ = ["OTHER", "TIME", "World", "until"]

OTHER = SessionId("22222222-2222-4222-8222-222222222222")
TIME = "2026-03-10T12-00-00.000Z"


class World:
    """A store with its mirror, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.places = MirrorPlaces(state_dir=folder, home=folder, default_agent_id=AgentId("main"))
        self.opened = memory_store()
        self.folder = folder / "agents" / "main" / "sessions"

    @asynccontextmanager
    async def run(self, *, dies: bool = False) -> AsyncIterator[World]:
        """The store is open and followed; at the end everything is level.

        A life that dies writes files and never comes to storing how it left them.
        """
        async with self.opened() as self.store:
            self.mirror = Mirror(self.store, self.places, clock=ManualClock(NOW, auto_advance_s=0))
            if dies:
                self.mirror._save_marks = _never  # type: ignore[method-assign]  # this is how far it comes
            self.mirror.start()
            self.talk = SessionTalk(self.store)
            try:
                yield self
            finally:
                await self.mirror.close()

    def file(self, session_id: str = SID, suffix: str = "") -> Path:
        """Where the file of a transcript lies."""
        return self.folder / f"{session_id}.jsonl{suffix}"

    def names(self) -> list[str]:
        """The files that are there, but for the index."""
        return sorted(path.name for path in self.folder.iterdir() if path.name != "sessions.json")

    def index(self) -> dict[str, dict[str, object]]:
        """What the index says."""
        listed: dict[str, dict[str, object]] = json.loads((self.folder / "sessions.json").read_text())
        return listed

    async def lines(self, session_id: str = SID) -> str:
        """What the file of a transcript should hold."""
        page = await self.store.load_all_entries(SessionId(session_id))
        raw = [format_header(page.head.header), *(format_entry(stored.entry) for stored in page.entries)]
        return "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in raw)


async def _never() -> None:
    """Stands for what a process does not come to."""


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for threads to have done something."""
    async with asyncio.timeout(60):
        while not is_so():  # noqa: ASYNC110 - a file tells nobody that it is there
            await asyncio.sleep(0.002)
