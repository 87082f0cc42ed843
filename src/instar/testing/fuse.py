"""A fuse: counts what a gateway does to the world around it, and stops everything at a chosen step.

Every call to the store, the model, a tool and a channel passes the fuse before and after. At step `at` it blows: that
call, and every later one, never comes back, as if the process had died there. The test then drops the gateway and
starts another one on the same rows::

    for step in count(1):
        fuse = Fuse(at=step)
        …play the story, and if the fuse has blown, restart with kill=True and play on…
        if not fuse.has_blown:
            break

A call that is cut *after* its work has done it, and nobody was told: the case that loses and doubles things.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import cast

from instar.core.model.message import Outbound
from instar.errors import StoreError
from instar.ports.channel import Capabilities, Channel, ChannelContext, Receipt
from instar.ports.devices import DeviceStore
from instar.ports.owners import OwnerStore
from instar.ports.runner import ModelRequest, Runner, RunnerEvent
from instar.ports.states import StateStore
from instar.ports.store import Store
from instar.ports.tokens import TokenStore
from instar.ports.tool import Tool, ToolContext, ToolOutput, ToolSpec
from instar.testing.channel import MemoryChannel

__all__ = ["Fuse", "fuse_channel", "fuse_runner", "fuse_store", "fuse_tool"]

WRITES = frozenset(
    {
        "accept",
        "change",
        "change_pairings",
        "claim_deliveries",
        "delete_session",
        "give_back",
        "import_transcript",
        "recover",
        "redo_delivery",
        "settle_delivery",
    }
)
"""The store's verbs that commit; questions are no place to die, since nothing has changed there. `recover` is the first
of each life: who dies in it has taken the place of the life before, and begun nothing.
"""


class Fuse:
    """Blows at step `at`, or at the next step called `on`; never without either. `steps` names what passed, in order.

    `refusals` are raised by the next writes to the store, one each, before anything is stored.
    """

    def __init__(self, *, at: int | None = None, on: str | None = None) -> None:
        self.at = at
        self.on = on
        self.steps: list[str] = []
        self.refusals: list[StoreError] = []
        self.blown = asyncio.Event()
        self._is_dead = False

    @property
    def has_blown(self) -> bool:
        """Whether everything stands still."""
        return self.blown.is_set()

    def kill(self) -> None:
        """The process is gone: what still runs is being cancelled, and whatever it tries meanwhile is cut at once."""
        self._is_dead = True
        self.blown.set()

    async def step(self, name: str) -> None:
        """Pass, or never come back."""
        if not self.has_blown:
            self.steps.append(name)
            if len(self.steps) == self.at or name == self.on:
                self.blown.set()
        if self._is_dead:
            raise asyncio.CancelledError
        if self.has_blown:
            await asyncio.get_running_loop().create_future()


class _FusedStore:
    """A store behind a fuse: it hands every verb of the port through, whatever its type."""

    def __init__(self, inner: Store, fuse: Fuse) -> None:
        self._inner = inner
        self._fuse = fuse

    @property
    def owners(self) -> OwnerStore:
        """Whose sessions are: only asked."""
        return self._inner.owners

    @property
    def tokens(self) -> TokenStore:
        """Credentials: no crash is played there."""
        return self._inner.tokens

    @property
    def states(self) -> StateStore:
        """State logs: what is asked beside a change has nothing to lose."""
        return self._inner.states

    @property
    def devices(self) -> DeviceStore:
        """Devices: the same."""
        return self._inner.devices

    def __getattr__(self, name: str) -> Callable[..., Awaitable[object]]:
        verb: Callable[..., Awaitable[object]] = getattr(self._inner, name)

        async def passed(*args: object, **kwargs: object) -> object:
            if name not in WRITES:
                return await self._read(verb, *args, **kwargs)
            label = f"{name} {args[0]}" if name == "change" else name
            await self._fuse.step(f"before {label}")
            if self._fuse.refusals:
                raise self._fuse.refusals.pop(0)
            result = await verb(*args, **kwargs)
            await self._fuse.step(f"after {label}")
            return result

        return passed

    async def _read(self, verb: Callable[..., Awaitable[object]], *args: object, **kwargs: object) -> object:
        if self._fuse.has_blown:
            await self._fuse.step("read")
        return await verb(*args, **kwargs)


def fuse_store(store: Store, fuse: Fuse) -> Store:
    """The store behind a fuse."""
    return cast("Store", _FusedStore(store, fuse))  # it has the port's verbs by handing them through


class _FusedRunner:
    """A runner behind a fuse: it may die before each event."""

    def __init__(self, inner: Runner, fuse: Fuse) -> None:
        self._inner = inner
        self._fuse = fuse

    @property
    def name(self) -> str:
        """That of the runner."""
        return self._inner.name

    async def run(self, request: ModelRequest) -> AsyncGenerator[RunnerEvent, None]:
        """Ask, and pass every event on."""
        await self._fuse.step("before model")
        async for event in self._inner.run(request):
            await self._fuse.step(f"model {type(event).__name__}")
            yield event

    async def close(self) -> None:
        """Let go."""
        await self._inner.close()


class _FusedTool:
    """A tool behind a fuse: it may die before it has done anything, and after it has done everything."""

    def __init__(self, inner: Tool, fuse: Fuse) -> None:
        self._inner = inner
        self._fuse = fuse

    @property
    def spec(self) -> ToolSpec:
        """That of the tool."""
        return self._inner.spec

    async def call(self, context: ToolContext, arguments: Mapping[str, object]) -> ToolOutput:
        """Call it."""
        await self._fuse.step(f"before tool {self.spec.name}")
        output = await self._inner.call(context, arguments)
        await self._fuse.step(f"after tool {self.spec.name}")
        return output


class _FusedChannel:
    """A channel behind a fuse: it may die before a reply has left, and before anybody hears that it has."""

    def __init__(self, inner: MemoryChannel, fuse: Fuse) -> None:
        self._inner = inner
        self._fuse = fuse
        self.name = inner.name

    @property
    def capabilities(self) -> Capabilities:
        """Those of the channel."""
        return self._inner.capabilities

    async def start(self, context: ChannelContext) -> None:
        """Start it."""
        await self._inner.start(context)

    async def stop(self) -> None:
        """Stop it."""
        await self._inner.stop()

    async def send(self, outbound: Outbound) -> Receipt:
        """Send."""
        await self._fuse.step("before send")
        receipt = await self._inner.send(outbound)
        await self._fuse.step("after send")
        return receipt


def fuse_runner(runner: Runner, fuse: Fuse) -> Runner:
    """The runner behind a fuse."""
    return _FusedRunner(runner, fuse)


def fuse_tool(tool: Tool, fuse: Fuse) -> Tool:
    """The tool behind a fuse."""
    return _FusedTool(tool, fuse)


def fuse_channel(channel: MemoryChannel, fuse: Fuse) -> Channel:
    """The channel behind a fuse."""
    return _FusedChannel(channel, fuse)
