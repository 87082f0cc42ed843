"""Delivery: every reply that is owed leaves, and what became of it is recorded (LOSS-5).

One sender task for each channel that is pushed to; it takes one reply at a time from the database, so a crash leaves at
most one per channel whose fate nobody knows. A channel that fetches its replies itself (a bridge) is only woken. The
database is the queue: a reply lives here in memory only while it is being sent.

What became of a reply is written down until the store takes it, before the next one is sent: a reply that left and is
recorded as leaving would leave again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from instar.core.delivery.owed import DeliverySettings, NextStep, decide_after_failure, decide_unknown
from instar.core.model.decision import Decision
from instar.core.model.ids import ChannelName, DeliveryId, Instant
from instar.core.model.message import Outbound
from instar.core.model.query import DeliveryRow
from instar.errors import ChannelError, StoreError
from instar.gateway.waiting import end_tasks, within
from instar.ports.channel import Channel, Receipt
from instar.ports.clock import Clock
from instar.ports.store import Store

__all__ = ["Outbox"]

STORE_PAUSE_S = 1.0
"""Rest after the store refused us (a full disk), so that a sender does not spin."""

log = structlog.get_logger(__name__)


class _SteadyTime:
    """The wall clock as far as it goes forward; when it is set back, time goes on from where it was.

    When a reply that was put off is due stands in its row as a moment of the wall clock. Without this, an hour set
    back would be an hour in which nobody hears anything.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at, self._since_s = clock.now(), clock.monotonic()

    def now(self) -> Instant:
        """Now, never before what it was."""
        wall, elapsed_s = self._clock.now(), self._clock.monotonic() - self._since_s
        steady = Instant(self._at + int(elapsed_s * 1000))
        if wall <= steady:
            return steady
        self._at, self._since_s = wall, self._clock.monotonic()
        return wall


class Outbox:
    """Sends what is owed. `start` once, `stop` once; `wake` whenever a commit has owed something new."""

    def __init__(
        self, store: Store, clock: Clock, channels: Mapping[ChannelName, Channel], settings: DeliverySettings
    ) -> None:
        self._store = store
        self._clock = clock
        self._time = _SteadyTime(clock)
        self._channels = channels
        self._settings = settings
        self._due: dict[ChannelName, asyncio.Event] = {name: asyncio.Event() for name in channels}
        self._listeners: dict[ChannelName, set[asyncio.Event]] = {name: set() for name in channels}
        self._rested: dict[ChannelName, asyncio.Event] = {}
        self._senders: list[asyncio.Task[None]] = []

    async def start(self, unknown: Sequence[DeliveryId], group: asyncio.TaskGroup) -> None:
        """Decide the fate of replies from before a crash, then begin to send. Tasks live in `group`."""
        await self._settle_unknown(unknown)
        for name, channel in self._channels.items():
            self._due[name].set()
            if not channel.capabilities.pulls:
                self._rested[name] = asyncio.Event()
                self._senders.append(group.create_task(self._send_forever(channel), name=f"outbox:{name}"))

    async def drain(self) -> None:
        """Return once nothing is left that could be sent now. A channel that fetches comes when it likes."""
        for rested in self._rested.values():
            await rested.wait()

    async def stop(self) -> None:
        """Stop sending; a reply under way is cut and found as ``unknown`` at the next start."""
        await end_tasks(self._senders)
        self._senders.clear()

    def wake(self, channel: ChannelName) -> None:
        """Say that a channel may owe a reply now."""
        for event in (self._due.get(channel), *self._listeners.get(channel, ())):
            if event is not None:
                event.set()
        if channel in self._rested:
            self._rested[channel].clear()

    async def claim(self, channel: ChannelName, limit: int) -> tuple[Outbound, ...]:
        """Hand a fetching channel its replies, those without a receipt again."""
        return await self._store.claim_deliveries(channel, limit=limit, now=self._time.now(), again=True)

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
        """Return when the channel comes to owe a reply from now on, or after `seconds`."""
        event = asyncio.Event()
        self._listeners[channel].add(event)
        try:
            await within(self._clock, seconds, _wait(event))
        except TimeoutError:
            return
        finally:
            self._listeners[channel].discard(event)

    # --- after a crash ------------------------------------------------------------------------------------------------

    async def _settle_unknown(self, unknown: Sequence[DeliveryId]) -> None:
        """Send again, or hold, each reply whose sending was cut off."""
        if not unknown:
            return
        wanted = set(unknown)
        for row in await self._store.load_deliveries(state="unknown", limit=len(wanted) + 1000):
            if row.outbound.delivery_id in wanted:
                await self._decide_unknown(row)

    async def _decide_unknown(self, row: DeliveryRow) -> None:
        if row.reason == _HELD:
            return  # decided at an earlier start; a clock that was set back makes it no younger
        now = self._clock.now()
        name = row.outbound.target.channel
        channel = self._channels.get(name)
        step = decide_unknown(
            self._settings,
            tells_repeats=channel is not None and channel.capabilities.tells_repeats,
            created_at=row.created_at,
            now=now,
        )
        decision = Decision(
            kind="deliver",
            outcome="send_again" if step.state == "pending" else "held",
            rule=step.rule,
            inputs={"age_ms": now - row.created_at},
        )
        await self._store.settle_delivery(
            row.outbound.delivery_id,
            channel=name,
            state=step.state,
            now=now,
            reason=_HELD if step.state == "unknown" else None,
            next_at=step.next_at,
            decision=decision,
        )

    # --- sending ------------------------------------------------------------------------------------------------------

    async def _send_forever(self, channel: Channel) -> None:
        """Send what is due on one channel, sleep until something is, again."""
        name, due = channel.name, self._due[channel.name]
        while True:
            due.clear()
            try:
                claimed = await self._store.claim_deliveries(name, limit=1, now=self._time.now(), again=False)
                if not claimed:
                    await self._sleep_until_due(name)
            except StoreError as error:
                log.error("outbox_store_failed", channel=name, error=str(error))
                await self._clock.sleep(STORE_PAUSE_S)
                continue
            for outbound in claimed:
                await self._send_one(channel, outbound)

    async def _sleep_until_due(self, name: ChannelName) -> None:
        """Sleep until `wake`, or until the first retry of the channel is due."""
        first = dict(await self._store.due_channels()).get(name)
        now = self._time.now()
        if self._due[name].is_set() or (first is not None and first <= now):
            return
        self._rested[name].set()
        if first is None:
            await self._due[name].wait()
            return
        try:
            await within(self._clock, (first - now) / 1000, _wait(self._due[name]))
        except TimeoutError:
            return

    async def _send_one(self, channel: Channel, outbound: Outbound) -> None:
        """Send one reply and record what became of it."""
        try:
            receipt = await within(self._clock, self._settings.send_timeout_s, channel.send(outbound))
        except ChannelError as error:
            await self._record_failure(
                outbound, reason=str(error), permanent=error.permanent, retry_after_ms=error.retry_after_ms
            )
        except TimeoutError:
            await self._record_failure(outbound, reason="timeout", permanent=False, retry_after_ms=None)
        except Exception:
            # A job boundary (style, section 6): a channel is foreign code, and its defect must not silence it for good.
            log.exception("channel_failed", channel=channel.name, delivery_id=outbound.delivery_id)
            await self._record_failure(outbound, reason="defect", permanent=False, retry_after_ms=None)
        else:
            await self._insist(channel.name, lambda: self.settle(channel.name, outbound.delivery_id, receipt))

    async def _insist(self, channel: ChannelName, work: Callable[[], Awaitable[object]]) -> None:
        """Write down what became of a reply, however long that takes."""
        while True:
            try:
                await work()
            except StoreError as error:
                log.error("outbox_store_failed", channel=channel, error=str(error))
                await self._clock.sleep(STORE_PAUSE_S)
            else:
                return

    async def _record_failure(
        self, outbound: Outbound, *, reason: str, permanent: bool, retry_after_ms: int | None
    ) -> None:
        """Put a reply back for a later try, or give it up."""
        step = decide_after_failure(
            self._settings,
            attempt=outbound.attempt,
            permanent=permanent,
            retry_after_ms=retry_after_ms,
            now=self._time.now(),
        )
        log.warning(
            "delivery_failed",
            channel=outbound.target.channel,
            delivery_id=outbound.delivery_id,
            attempt=outbound.attempt,
            next_state=step.state,
        )
        await self._insist(
            outbound.target.channel, lambda: self._put_back(outbound, step, reason=reason, permanent=permanent)
        )

    async def _put_back(self, outbound: Outbound, step: NextStep, *, reason: str, permanent: bool) -> None:
        await self._store.settle_delivery(
            outbound.delivery_id,
            channel=outbound.target.channel,
            state=step.state,
            now=self._clock.now(),
            reason=reason,
            next_at=step.next_at,
            decision=Decision(
                kind="deliver",
                outcome="failed" if step.state == "failed" else "try_again",
                rule=step.rule,
                inputs={"attempt": outbound.attempt, "permanent": permanent},
            ),
        )


_HELD = "held"
"""Why an ``unknown`` reply stays so: nobody may send it again without a person's word (LOSS-5)."""


async def _wait(event: asyncio.Event) -> None:
    await event.wait()
