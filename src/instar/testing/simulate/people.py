"""The world outside: what each platform has delivered, and people who write until they are told that it is safe.

A platform outlives every life of the gateway, and so do the people on it. Whoever is not told that a message was taken
sends it again: after an error, after a while, after a crash (LOSS-1).
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field

from instar.core.model.ids import ChannelName, DeliveryId
from instar.core.model.message import Outbound, Target
from instar.errors import ChannelError
from instar.ports.channel import Capabilities, ChannelContext, Receipt
from instar.ports.clock import Clock
from instar.testing.fuse import Fuse

__all__ = ["ChannelTwin", "Heard", "Platform"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One reply as a person saw it."""

    delivery_id: DeliveryId
    target: Target
    text: str


@dataclass(slots=True)
class Platform:
    """One platform. `heard` is what people saw, in order; `doubted` counts what reached them without a receipt.

    `faults` are the ways in which the next sendings go wrong.
    """

    name: ChannelName
    capabilities: Capabilities
    heard: list[Heard] = field(default_factory=list)
    doubted: Counter[DeliveryId] = field(default_factory=Counter)
    faults: deque[str] = field(default_factory=deque)
    _known: set[DeliveryId] = field(default_factory=set)

    def hear(self, outbound: Outbound) -> None:
        """Show a reply to its person; a repeat only where the platform cannot tell it."""
        if self.capabilities.tells_repeats and outbound.delivery_id in self._known:
            return
        self._known.add(outbound.delivery_id)
        self.heard.append(Heard(delivery_id=outbound.delivery_id, target=outbound.target, text=outbound.text))


class ChannelTwin:
    """A platform as one life of the gateway reaches it. Keeps `instar.ports.channel.Channel`."""

    def __init__(self, platform: Platform, fuse: Fuse, clock: Clock) -> None:
        self._platform = platform
        self._fuse = fuse
        self._clock = clock
        self.context: ChannelContext | None = None

    @property
    def name(self) -> ChannelName:
        """The platform's."""
        return self._platform.name

    @property
    def capabilities(self) -> Capabilities:
        """The platform's."""
        return self._platform.capabilities

    async def start(self, context: ChannelContext) -> None:
        """Take the gateway's hand."""
        self.context = context

    async def stop(self) -> None:
        """Let go of it."""
        self.context = None

    async def send(self, outbound: Outbound) -> Receipt:
        """Deliver, as well as the platform can just now."""
        platform = self._platform
        await self._fuse.step("before send")
        match platform.faults.popleft() if platform.faults else "":
            case "busy":
                raise ChannelError("The platform is busy", retry_after_ms=1_500)
            case "gone":
                raise ChannelError("The person has blocked us", permanent=True)
            case "slow":
                await self._clock.sleep(20)
                await self._fuse.step("slow send")
            case "silent":
                platform.doubted[outbound.delivery_id] += 1
                platform.hear(outbound)
                await asyncio.get_running_loop().create_future()
            case "late":
                platform.doubted[outbound.delivery_id] += 1
                platform.hear(outbound)
                raise ChannelError("The connection broke")
            case _:
                pass
        platform.hear(outbound)
        await self._fuse.step("after send")
        return Receipt(status="sent", platform_id=f"p{len(platform.heard)}")

    async def fetch(self, count: int, *, lost: str) -> None:
        """Ask for replies as a bridge does, show them, and confirm them."""
        context = self.context
        if context is None:
            return
        replies = await context.claim(count)
        if lost == "answer":
            return
        for outbound in replies:
            self._platform.hear(outbound)
        for outbound in replies if lost != "receipt" else ():
            if self.context is not None:
                await context.settle(outbound.delivery_id, Receipt(status="sent", platform_id="b"))
