"""The lives of a gateway: started, stopped in good order, or dead at any step, and started again on the same rows.

A life that dies is not cancelled: it stands still for ever, as a killed process does. Whatever it calls (store, model,
tool, channel, clock of a retry) never comes back. A ghost is a process that only seemed dead: its turns go on asking
and writing beside the new gateway, and the fence has to keep their words out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import structlog

from instar.config.config import Config
from instar.core.lifecycle.archive_name import ArchiveReason
from instar.core.model.change import TranscriptHead
from instar.core.model.entry import AnyEntry
from instar.core.model.ids import ChannelName, SessionId
from instar.gateway.gateway import Gateway
from instar.gateway.parts import GatewayParts
from instar.ports.ids import IdSource
from instar.ports.runner import ModelSpec
from instar.ports.store import Store
from instar.runners.fallback import FallbackRunner
from instar.stores.keeper import StoreKeeper
from instar.stores.store import SessionStore
from instar.testing.fuse import Fuse, fuse_runner, fuse_store, fuse_tool
from instar.testing.gateway import OneModel, PlainTexts
from instar.testing.simulate.asked import Asked
from instar.testing.simulate.disk import Disk, DiskOfLife
from instar.testing.simulate.forgetting import Forgetting, WatchedEraser
from instar.testing.simulate.model import PROVIDER, TOOLS, ModelTwin, Record, ToolTwin
from instar.testing.simulate.people import ChannelTwin, Platform
from instar.testing.simulate.virtual import VirtualClock

__all__ = ["Around", "Keeper", "Life"]

_BLOCKED = ("before accept", "before claim", "before settle", "before delete", "before import", "before send", "mirror")
"""What a ghost can no more do: its sockets are closed, and only its turns go on."""


class _LifeFuse(Fuse):
    """The fuse of one life; that of a ghost lets its turns through. What stands still is held, or it would be freed."""

    def __init__(self) -> None:
        super().__init__()
        self.is_ghost = False
        self.will_haunt = False
        self._standing: list[asyncio.Future[None]] = []

    async def step(self, name: str) -> None:
        if not self.has_blown:
            self.steps.append(name)
            if len(self.steps) == self.at:
                self.is_ghost = self.will_haunt
                self.blown.set()
        if self._is_dead:
            raise asyncio.CancelledError
        if self.has_blown and not (self.is_ghost and not name.startswith(_BLOCKED)):
            self._standing.append(asyncio.get_running_loop().create_future())
            await self._standing[-1]


@dataclass(slots=True)
class Keeper:
    """Keeps what is archived, as files would."""

    store: Store
    kept: dict[SessionId, tuple[AnyEntry, ...]] = field(default_factory=dict)
    disk: DiskOfLife | None = None

    async def archive(self, head: TranscriptHead, *, reason: ArchiveReason = "deleted") -> str:
        """Keep the whole transcript; in a file too, where the story has a disk."""
        page = await self.store.load_all_entries(head.session_id)
        path = f"{head.session_id}.jsonl.{reason}.zst"
        if self.disk is not None:
            path = await self.disk.archive(head, reason=reason)
        if reason == "bak":
            return path
        self.kept[head.session_id] = tuple(stored.entry for stored in page.entries)
        return path


@dataclass(slots=True, kw_only=True)
class Around:
    """What lies around every life and outlives it."""

    config: Callable[[], Config]
    rows: SessionStore
    store: Store
    disk: Disk | None
    clock: VirtualClock
    ids: IdSource
    record: Record
    platforms: Mapping[ChannelName, Platform]
    keeper: Keeper
    window_tokens: int
    stand_ins: tuple[str, ...]
    forgetting: Forgetting | None


class Life:
    """One process. `run` starts it and returns when it was stopped in good order; it never returns from death.

    `up` is set for everybody while it takes messages; `start` is the number of the start that it makes.
    """

    def __init__(self, around: Around, *, up: asyncio.Event, start: int) -> None:
        self._start = start
        self.fuse = _LifeFuse()
        self.channels = {
            name: ChannelTwin(platform, self.fuse, around.clock) for name, platform in around.platforms.items()
        }
        self.disk = (
            DiskOfLife(around.rows, around.config(), clock=around.clock, fuse=self.fuse) if around.disk else None
        )
        self._eraser: WatchedEraser | None = None
        if around.forgetting is not None and self.disk is not None:
            self._eraser = WatchedEraser(around.forgetting, around.config(), self.disk)
        self.gateway = Gateway(self._build_parts(around))
        self.asked = Asked()
        self._up = up
        self._has_started = False
        self._stopping = asyncio.Event()

    def _build_parts(self, around: Around) -> GatewayParts:
        spec = ModelSpec(provider=PROVIDER, id="scripted", api="scripted", context_window=around.window_tokens)
        store = fuse_store(around.store, self.fuse)
        stand_ins = tuple(replace(spec, id=name) for name in around.stand_ins)
        runner = fuse_runner(ModelTwin(around.record, around.clock, start=self._start), self.fuse)
        if stand_ins:
            runner = FallbackRunner(runner, clock=around.clock, log=structlog.get_logger(__name__))
        parts = GatewayParts(
            version="0",
            config=around.config,
            store=store,
            clock=around.clock,
            ids=around.ids,
            runner=runner,
            models=OneModel(spec, stand_ins),
            texts=PlainTexts(),
            archiver=Keeper(store=store, kept=around.keeper.kept, disk=self.disk),
            tools={name: fuse_tool(ToolTwin(name, around.record, around.clock), self.fuse) for name in TOOLS},
            channels=dict(self.channels),
        )
        if self._eraser is not None:
            parts = replace(parts, eraser=self._eraser)
        return parts if self.disk is None else replace(parts, keeper=StoreKeeper(around.config(), None, version="0"))

    @property
    def is_dead(self) -> bool:
        """Whether it stands still."""
        return self.fuse.has_blown

    @property
    def is_up(self) -> bool:
        """Whether it takes messages."""
        return self._has_started and not self.is_dead and not self._stopping.is_set()

    @property
    def is_erasing(self) -> bool:
        """Whether it takes somebody out of everything that is kept just now."""
        return self._eraser is not None and self._eraser.is_busy

    async def run(self) -> None:
        """Start, say that it is up, wait for the word to stop, stop."""
        if self.disk is None:
            await self._run_gateway()
            return
        self.disk.mirror.start()
        try:
            if self._eraser is not None:
                await self._eraser.resume()
            await self._run_gateway()
        finally:
            await self.disk.mirror.close()

    async def _run_gateway(self) -> None:
        await self.gateway.__aenter__()
        self._has_started = True
        if self.is_up:
            self._up.set()
        await self._stopping.wait()
        await self.gateway.__aexit__(None, None, None)

    def stop(self) -> None:
        """Ask it to stop in good order."""
        self._up.clear()
        self._stopping.set()

    def die(self, *, ghost: bool) -> None:
        """Let everything stand still, at once; a ghost's turns go on."""
        self._up.clear()
        self.fuse.is_ghost = ghost
        self.fuse.blown.set()

    def bury(self) -> None:
        """The story is over: whatever of it still waits is told to go away."""
        self.fuse.is_ghost = False
        self.fuse.kill()
