"""The disk of a story: the files that follow the rows, in a folder of their own, and what a crash may do to them.

The mirror and the archives are the real ones. They reach the rows through the fuse of their life, so a dead gateway
writes no more files; and all that would run in a thread runs at once, so files are written in the same order each time.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import zstandard

from instar.config.config import Config
from instar.core.lifecycle.archive_name import ArchiveReason
from instar.core.model.change import TranscriptHead
from instar.core.model.ids import SessionId, SessionKey
from instar.ports.clock import Clock
from instar.stores.archive import TranscriptArchiver
from instar.stores.mirror import Mirror
from instar.stores.mirror_places import MirrorPlaces
from instar.stores.store import SessionStore
from instar.stores.transaction import Engine, Purpose, Touched, Transaction
from instar.testing.fuse import Fuse
from instar.testing.simulate.story import Harm

__all__ = ["Disk", "DiskOfLife", "FusedEngine"]

T = TypeVar("T")

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
"""Where files cost no disk; elsewhere the system's folder for temporary files will do."""


class Disk:
    """The files of one story. `close` removes them."""

    def __init__(self) -> None:
        place = _SHARED_MEMORY if _SHARED_MEMORY.is_dir() else None
        self.folder = Path(tempfile.mkdtemp(prefix="instar-simulate-", dir=place))

    def close(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def database(self) -> Path:
        """Where a copy of the rows stands while somebody looks through all files."""
        return self.folder / "instar.db"

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """Every file by its name, archives unpacked, without that copy."""
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and path != self.database:
                content = path.read_bytes()
                if path.suffix == ".zst":
                    with zstandard.ZstdDecompressor().stream_reader(content, read_across_frames=True) as stream:
                        content = stream.read()
                yield path.name, path.name.encode() + b"\n" + content

    def harm(self, kind: Harm) -> None:
        """Do to the first transcript file that holds something what a crash may do."""
        files = (path for path in sorted(self.folder.rglob("*.jsonl")) if path.stat().st_size)
        file = next(files, None)
        if file is None or not kind:
            return
        data = bytearray(file.read_bytes())
        if kind == "cut":
            del data[-1 - len(data) // 3 :]
        else:
            data[len(data) // 2] ^= 1
        file.write_bytes(data)


class DiskOfLife:
    """A disk as one life of the gateway reaches it."""

    def __init__(self, store: SessionStore, config: Config, *, clock: Clock, fuse: Fuse) -> None:
        self.fuse = fuse
        self._rows = SessionStore(FusedEngine(store.engine, fuse))
        self.places = MirrorPlaces.of(config)
        self.mirror = Mirror(self._rows, self.places, clock=clock)
        self._archiver = TranscriptArchiver(self._rows, config, clock=clock)

    async def archive(self, head: TranscriptHead, *, reason: ArchiveReason = "deleted") -> str:
        """Write the archive of a transcript; where it lies."""
        return await self._archiver.archive(head, reason=reason)

    def file_of(self, key: SessionKey, head: TranscriptHead) -> Path:
        """Where the mirror has a transcript."""
        return self.places.transcript(key, SessionId(head.session_id), closed_at=head.closed_at)


class FusedEngine:
    """An engine behind a fuse: once it has blown, nothing comes back."""

    def __init__(self, inner: Engine, fuse: Fuse) -> None:
        self._inner = inner
        self._fuse = fuse
        self.seals = inner.seals

    async def open(self) -> None:
        """Open nothing: the story has opened the store."""

    async def close(self) -> None:
        """Close nothing."""

    async def write(self, unit: Callable[[Transaction], T], *, purpose: Purpose = "owed") -> T:
        """Run a transaction, unless the process dies before or after it."""
        await self._fuse.step("mirror before write")
        result = await self._inner.write(unit, purpose=purpose)
        await self._fuse.step("mirror after write")
        return result

    async def wipe(self, *, log_only: bool = False) -> None:
        """Leave nothing of what was deleted."""
        await self._fuse.step("mirror before wipe")
        await self._inner.wipe(log_only=log_only)

    async def read(self, unit: Callable[[Transaction], T], *, is_short: bool = False) -> T:
        """Answer a question; whoever is dead never hears the answer."""
        result = await self._inner.read(unit, is_short=is_short)
        await self._fuse.step("mirror after read")
        return result

    def on_commit(self, callback: Callable[[Touched], None]) -> None:
        """Call back after each commit."""
        self._inner.on_commit(callback)

    def describe(self) -> dict[str, object]:
        """Facts about the engine."""
        return self._inner.describe()
