"""Delivery: every reply that is owed leaves, and what became of it is recorded (LOSS-5).

One sender task for each channel that is pushed to; it sends one reply at a time, so replies of a chat keep their
order. A channel that fetches its replies itself (a bridge) is only woken. The database is the queue: a reply lives
here in memory only while it is being sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from instar.core.delivery.owed import DeliverySettings, decide_after_failure, decide_unknown
from instar.core.model.decision import Decision
from instar.core.model.ids import ChannelName, DeliveryId
from instar.core.model.message import Outbound
from instar.errors import ChannelError, StoreError
from instar.ports.channel import Channel, Receipt
from instar.ports.clock import Clock
from instar.ports.store import Store

__all__ = ["Outbox"]

CLAIM_BATCH = 16
"""Replies taken from the database at once; each is still sent on its own."""

STORE_PAUSE_S = 1.0
"""Rest after the store refused us (a full disk), so that a sender does not spin."""

log = structlog.get_logger(__name__)


class Outbox:
    """Sends what is owed. `start` once, `stop` once; `wake` whenever a commit has owed something new."""

    def __init__(
        self, store: Store, clock: Clock, channels: Mapping[ChannelName, Channel], settings: DeliverySettings
    ) -> None:
        self._store = store
        self._clock = clock
        self._channels = channels
        self._settings = settings
        self._due: dict[ChannelName, asyncio.Event] = {name: asyncio.Event() for name in channels}
        self._senders: list[asyncio.Task[None]] = []

    async def start(self, unknown: Sequence[DeliveryId], group: asyncio.TaskGroup) -> None:
        """Decide the fate of replies from before a crash, then begin to send. Tasks live in `group`."""
        await self._settle_unknown(unknown)
        for name, channel in self._channels.items():
            self._due[name].set()
            if not channel.capabilities.pulls:
                self._senders.append(group.create_task(self._send_forever(channel), name=f"outbox:{name}"))

    async def stop(self) -> None:
        """Stop sending; a reply under way is cut and found as ``unknown`` at the next start."""
        for task in self._senders:
            task.cancel()
        await asyncio.gather(*self._senders, return_exceptions=True)
        self._senders.clear()

    def wake(self, channel: ChannelName) -> None:
        """Say that a channel may owe a reply now."""
        event = self._due.get(channel)
        if event is not None:
            event.set()

    async def claim(self, channel: ChannelName, limit: int) -> tuple[Outbound, ...]:
        """Hand a fetching channel its replies, those without a receipt again."""
        return await self._store.claim_deliveries(channel, limit=limit, now=self._clock.now(), again=True)

    async def settle(self, channel: ChannelName, delivery_id: DeliveryId, receipt: Receipt) -> bool:
        """Record a receipt; False when this channel owes no such reply. A failure is final: the far side has tried."""
        return await self._store.settle_delivery(
            delivery_id,
            channel=channel,
            state=receipt.status,
            now=self._clock.now(),
            platform_id=receipt.platform_id,
            reason=receipt.reason,
            decision=Decision(kind="deliver", outcome=receipt.status, rule="LOSS-5", inputs={"reason": receipt.reason}),
        )

    async def wait(self, channel: ChannelName, seconds: float) -> None:
        """Return when the channel may owe a reply, or after `seconds`."""
        event = self._due[channel]
        event.clear()
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except TimeoutError:
            return

    async def _settle_unknown(self, unknown: Sequence[DeliveryId]) -> None:
        """Send again, or hold, each reply whose sending was cut off."""
        if not unknown:
            return
        now = self._clock.now()
        wanted = set(unknown)
        for row in await self._store.load_deliveries(state="unknown", limit=len(wanted) + 1000):
            if row.outbound.delivery_id not in wanted:
                continue
            name = row.outbound.target.channel
            channel = self._channels.get(name)
            step = decide_unknown(
                self._settings,
                tells_repeats=channel is not None and channel.capabilities.tells_repeats,
                created_at=row.created_at,
                now=now,
            )
            await self._store.settle_delivery(
                row.outbound.delivery_id,
                channel=name,
                state=step.state,
                now=now,
                next_at=step.next_at,
                decision=Decision(
                    kind="deliver",
                    outcome="send_again" if step.state == "pending" else "held",
                    rule=step.rule,
                    inputs={"age_ms": now - row.created_at},
                ),
            )

    async def _send_forever(self, channel: Channel) -> None:
        """Send what is due on one channel, sleep until something is, again."""
        due = self._due[channel.name]
        while True:
            due.clear()
            try:
                batch = await self._store.claim_deliveries(
                    channel.name, limit=CLAIM_BATCH, now=self._clock.now(), again=False
                )
                for outbound in batch:
                    await self._send_one(channel, outbound)
                if len(batch) < CLAIM_BATCH:
                    await self._sleep_until_due(channel.name)
            except StoreError as error:
                log.error("outbox_store_failed", channel=channel.name, error=str(error))
                await self._clock.sleep(STORE_PAUSE_S)

    async def _sleep_until_due(self, name: ChannelName) -> None:
        """Sleep until `wake`, or until the first retry of the channel is due."""
        first = dict(await self._store.due_channels(self._clock.now())).get(name)
        if first is None:
            await self._due[name].wait()
            return
        await self.wait(name, max(0.0, (first - self._clock.now()) / 1000))

    async def _send_one(self, channel: Channel, outbound: Outbound) -> None:
        """Send one reply and record what became of it."""
        try:
            async with asyncio.timeout(self._settings.send_timeout_s):
                receipt = await channel.send(outbound)
        except ChannelError as error:
            await self._record_failure(
                outbound, reason=str(error), permanent=error.permanent, retry_after_ms=error.retry_after_ms
            )
            return
        except TimeoutError:
            await self._record_failure(outbound, reason="timeout", permanent=False, retry_after_ms=None)
            return
        await self.settle(channel.name, outbound.delivery_id, receipt)

    async def _record_failure(
        self, outbound: Outbound, *, reason: str, permanent: bool, retry_after_ms: int | None
    ) -> None:
        """Put a reply back for a later try, or give it up."""
        now = self._clock.now()
        step = decide_after_failure(
            self._settings,
            attempt=outbound.attempt,
            permanent=permanent,
            retry_after_ms=retry_after_ms,
            now=now,
        )
        log.warning(
            "delivery_failed",
            channel=outbound.target.channel,
            delivery_id=outbound.delivery_id,
            attempt=outbound.attempt,
            next_state=step.state,
        )
        await self._store.settle_delivery(
            outbound.delivery_id,
            channel=outbound.target.channel,
            state=step.state,
            now=now,
            reason=reason,
            next_at=step.next_at,
            decision=Decision(
                kind="deliver",
                outcome="failed" if step.state == "failed" else "try_again",
                rule=step.rule,
                inputs={"attempt": outbound.attempt, "permanent": permanent},
            ),
        )
