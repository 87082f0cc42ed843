"""A whole gateway in memory: real decisions, real store, a script for the model, and a clock in the test's hand.

    async with GatewayInMemory({"channels": {"chat": {"type": "bridge", "token": "t"}}}) as world:
        await world.channel("chat").post("hello", sender="ann")
        await world.settle()

Channels of any type become `MemoryChannel`s. The store outlives the gateway: `restart` stops it, or with
``kill=True`` drops it on the spot as a crash would, and starts another one on the same rows. Whatever the gateway
touches stands behind a `Fuse`, which a test may let blow at any step.

The clock stands still. What waits for time (a debounce, a retry, an idle lane) waits until the test says
``await world.run_for(seconds)``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Self

from instar.config.config import Config, parse_config
from instar.core.context.system import SystemText
from instar.core.lifecycle.archive_name import ArchiveReason
from instar.core.model.change import TranscriptHead
from instar.core.model.ids import AgentId, ChannelName
from instar.core.model.session import Session
from instar.core.policy.model_choice import ModelNames
from instar.gateway.gateway import Gateway
from instar.gateway.parts import Eraser, GatewayParts
from instar.gateway.settings import group_intro
from instar.ports.clock import Clock
from instar.ports.ids import IdSource
from instar.ports.runner import ModelSpec, Runner
from instar.ports.store import Store
from instar.ports.tool import Tool
from instar.stores.incognito import StoreWithIncognito
from instar.stores.sqlite import open_memory_store
from instar.testing.channel import MemoryChannel
from instar.testing.clock import ManualClock
from instar.testing.fuse import Fuse, fuse_channel, fuse_runner, fuse_store, fuse_tool
from instar.testing.ids import SequenceIds
from instar.testing.runner import SCRIPTED_MODEL, ScriptedRunner

__all__ = ["GatewayInMemory", "OneModel", "PlainTexts"]

NOWHERE = Path("/nowhere/state")
"""A state directory that is not there: without `state_dir` and `arm` nothing is written."""

PUMP_TURNS = 200
"""Turns of the event loop between two deadlines: more than any chain of awaits in a turn."""


@dataclass(slots=True)
class OneModel:
    """A book with a single model, and those that stand in for it."""

    spec: ModelSpec
    fallbacks: tuple[ModelSpec, ...] = ()

    def resolve(self, ref: str) -> ModelSpec | None:
        """The model by its name, or one that stands in for it; None for another."""
        return next((spec for spec in (self.spec, *self.fallbacks) if ref in (spec.ref, spec.id)), None)

    def default_of(self, agent_id: AgentId) -> ModelSpec:  # noqa: ARG002 - every agent has the same
        """The model."""
        return self.spec

    def fallbacks_of(self, agent_id: AgentId) -> tuple[ModelSpec, ...]:  # noqa: ARG002 - the same
        """What stands in for it."""
        return self.fallbacks

    def names(self, agent_id: AgentId) -> ModelNames:  # noqa: ARG002 - the same
        """The model is all that may be chosen."""
        return ModelNames(allowed=(self.spec.ref,), default=self.spec.ref)

    def xhigh_models(self) -> frozenset[str]:
        """None."""
        return frozenset()

    def all(self) -> tuple[ModelSpec, ...]:
        """The model."""
        return (self.spec,)


_TEXT = SystemText(text="You are an assistant.", files=())


class PlainTexts:
    """Keeps `instar.gateway.parts.SystemTexts`: one text for every agent and session."""

    def __init__(self, config: Callable[[], Config] | None = None) -> None:
        self._config = config
        self.notes = ""

    async def load(self, agent_id: AgentId, session: Session) -> str:  # noqa: ARG002 - one text for all agents
        """The text."""
        intro = group_intro(self._config(), session) if self._config else ""
        return f"{_TEXT.text}\n\n{intro}" if intro else _TEXT.text

    def is_writable(self, agent_id: AgentId) -> bool:  # noqa: ARG002 - there is no folder that would forbid it
        """True: there is no folder that would forbid it."""
        return True

    async def load_notes(self, agent_id: AgentId, today: date) -> str:  # noqa: ARG002 - notes stand in `notes`
        """The notes that a test has put there, for every agent and day."""
        return self.notes

    async def report(self, agent_id: AgentId) -> SystemText:  # noqa: ARG002 - one text for all
        """The text, made of no file."""
        return _TEXT

    def last_report(self, agent_id: AgentId) -> SystemText | None:  # noqa: ARG002 - the same
        """The same."""
        return _TEXT


@dataclass(slots=True)
class _NotedExports:
    """Keeps what would have been written into a workspace, by its path."""

    files: dict[str, str] = field(default_factory=dict)

    async def write(self, agent_id: AgentId, path: str, text: str) -> str:
        self.files[path] = text
        return f"/nowhere/{agent_id}/{path}"


@dataclass(slots=True)
class _NotedArchives:
    """Remembers what would have been archived."""

    heads: list[TranscriptHead] = field(default_factory=list)

    async def archive(self, head: TranscriptHead, *, reason: ArchiveReason = "deleted") -> str:
        self.heads.append(head)
        return f"{head.session_id}.jsonl.{reason}.zst"


class GatewayInMemory:
    """A gateway, its store and its channels. Enter it to start; leave it to stop.

    `arm` gives the parts of each life something in place of the twins, once the store is open.
    """

    def __init__(
        self,
        config: Mapping[str, object] | None = None,
        *,
        runner: Runner | None = None,
        clock: Clock | None = None,
        ids: IdSource | None = None,
        store: Store | None = None,
        tools: Mapping[str, Tool] | None = None,
        model: ModelSpec = SCRIPTED_MODEL,
        fallbacks: tuple[ModelSpec, ...] = (),
        fuse: Fuse | None = None,
        eraser: Eraser | None = None,
        state_dir: Path = NOWHERE,
        arm: Callable[[GatewayParts], GatewayParts] | None = None,
    ) -> None:
        self._eraser = eraser
        self._state_dir = state_dir
        self._arm = arm
        self.fuse = fuse or Fuse()
        self.clock: Clock = clock or ManualClock()
        self.ids: IdSource = ids or SequenceIds()
        self.runner: Runner = runner or ScriptedRunner(clock=self.clock)
        self.store: Store = store or open_memory_store()
        self.config = self._parse(config or {})
        self.archives = _NotedArchives()
        self.exports = _NotedExports()
        self.texts = PlainTexts(lambda: self.config)
        self._tools = dict(tools or {})
        self._models = OneModel(model, fallbacks)
        self._channels: dict[ChannelName, MemoryChannel] = {}
        self._gateway: Gateway | None = None
        self._is_open = False

    def _parse(self, raw: Mapping[str, object]) -> Config:
        return parse_config(raw, env={}, state_dir=self._state_dir, home=self._state_dir.parent)

    def configure(self, raw: Mapping[str, object]) -> None:
        """Another configuration from the next message on (CFG-12). Channels stay those of the start."""
        self.config = self._parse(raw)

    @property
    def gateway(self) -> Gateway:
        """The gateway that runs now."""
        assert self._gateway is not None  # noqa: S101 - a mistake of the test
        return self._gateway

    def channel(self, name: str) -> MemoryChannel:
        """A configured channel."""
        return self._channels[ChannelName(name)]

    async def __aenter__(self) -> Self:
        """Open the store, start the gateway."""
        self._gateway = None
        if not self._is_open:
            await self.store.open()
            self._is_open = True
        self._channels = {name: self._channels.get(name) or MemoryChannel(name) for name in self.config.channels}
        parts = GatewayParts(
            version="0",
            config=lambda: self.config,
            store=fuse_store(StoreWithIncognito(self.store, open_memory_store), self.fuse),
            clock=self.clock,
            ids=self.ids,
            runner=fuse_runner(self.runner, self.fuse),
            models=self._models,
            texts=self.texts,
            archiver=self.archives,
            exports=self.exports,
            tools={name: fuse_tool(tool, self.fuse) for name, tool in self._tools.items()},
            channels={name: fuse_channel(channel, self.fuse) for name, channel in self._channels.items()},
        )
        if self._eraser is not None:
            parts = replace(parts, eraser=self._eraser)
        if self._arm is not None:
            parts = self._arm(parts)
        self._gateway = await Gateway(parts).__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the gateway, close the store. Time passes meanwhile: what hangs at the end of a test is cut."""
        hurry = asyncio.ensure_future(self._hurry())
        try:
            await self.gateway.__aexit__(None, None, None)
        finally:
            hurry.cancel()
        await self.store.close()
        self._is_open = False

    async def restart(self, *, kill: bool = False, fuse: Fuse | None = None) -> None:
        """Stop, or with `kill` drop without a word, and start again on the same rows.

        The fuse of the new life is `fuse`, or one that never blows. It may blow before the life has begun: then this
        does not come back, and is to be cancelled before the next start.
        """
        if kill:
            self.fuse.kill()
            if self._gateway is not None:
                await self._gateway.drop()
            self.fuse = fuse or Fuse()
        else:
            await self.gateway.__aexit__(None, None, None)
        await self.__aenter__()

    async def settle(self, *, timeout_s: float = 60.0) -> None:
        """Wait until no message waits, no turn runs and nothing is owed that could be sent now."""
        async with asyncio.timeout(timeout_s):
            while not await self._is_quiet():  # noqa: ASYNC110 - rows of a store raise no event to wait for
                await asyncio.sleep(0.001)

    async def run_for(self, seconds: float) -> None:
        """Let time pass: whatever falls due happens, in order."""
        clock = self.clock
        assert isinstance(clock, ManualClock)  # noqa: S101 - a mistake of the test
        await clock.run_for(seconds, settle=_pump)

    async def _hurry(self) -> None:
        while True:
            await _pump()
            if isinstance(self.clock, ManualClock):
                self.clock.advance(1)

    async def _is_quiet(self) -> bool:
        if any(not lane.is_idle for lane in self.gateway.lanes):
            return False
        # What is due first, then what is under way: a reply moves from the one to the other in between.
        now = self.clock.now()
        due = [name for name, first in await self.store.due_channels() if first <= now and name in self._channels]
        return not due and not await self.store.load_deliveries(state="sending")


async def _pump() -> None:
    """Let every task that can work do so; a turn is some dozens of awaits."""
    for _ in range(PUMP_TURNS):
        await asyncio.sleep(0)
