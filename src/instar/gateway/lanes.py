"""All lanes of one gateway: found or made by key, retired when idle, and the host that each of them asks.

An idle lane costs a task and the context it keeps warm, so it goes after a while; the next message makes it anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace

import structlog

from instar.core.delivery.route import build_reply_target
from instar.core.model.change import InboxItem, SessionChange
from instar.core.model.ids import SessionId, SessionKey, TurnId
from instar.core.model.session import Overrides
from instar.core.queue.lane import Dropped, LaneMessage
from instar.core.queue.mode import Next
from instar.core.queue.settings import parse_queue_mode, resolve_queue_settings
from instar.core.turn.reply import plan_expiry
from instar.errors import InvariantBroken, StoreError
from instar.gateway.commands import Commands
from instar.gateway.lane import Lane, LaneWork
from instar.gateway.parts import GatewayParts
from instar.gateway.turn import Turn
from instar.gateway.turn_services import TurnServices
from instar.gateway.warm import WarmContext
from instar.ports.clock import Clock

__all__ = ["Lanes"]

_NO_OVERRIDES = Overrides()

log = structlog.get_logger(__name__)


class Lanes:
    """The lanes of one gateway. `group` owns their tasks."""

    def __init__(self, parts: GatewayParts, services: TurnServices) -> None:
        self._parts = parts
        self._services = services
        self._opened: tuple[asyncio.TaskGroup, Commands] | None = None
        self._lanes: dict[SessionKey, Lane] = {}
        self._warm: dict[SessionKey, WarmContext] = {}
        self._slots = asyncio.Semaphore(parts.config().queue.max_concurrent)

    def open(self, group: asyncio.TaskGroup, commands: Commands) -> None:
        """Let lanes start, with their tasks in `group`."""
        self._opened = group, commands

    def _open(self) -> tuple[asyncio.TaskGroup, Commands]:
        if self._opened is None:
            raise InvariantBroken("lanes are used between a gateway's start and its end")
        return self._opened

    def get(self, key: SessionKey) -> Lane:
        """The lane of a key, made and started if there is none."""
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(key, self, self._open()[0])
            lane.start()
        return lane

    def find(self, key: SessionKey) -> Lane | None:
        """The lane of a key, None if it is idle and gone."""
        return self._lanes.get(key)

    def __iter__(self) -> Iterator[Lane]:
        """Every lane there is now."""
        return iter(list(self._lanes.values()))

    def active_turn_ids(self, key: SessionKey) -> tuple[TurnId, ...]:
        """The turns of a session that run now."""
        lane = self._lanes.get(key)
        return lane.active_turn_ids if lane else ()

    def warm(self, key: SessionKey) -> WarmContext:
        """What the model sees of a session, kept warm while its lane lives."""
        return self._warm.setdefault(key, WarmContext(self._parts.store))

    # --- what a lane asks (LaneHost) ----------------------------------------------------------------------------------

    @property
    def clock(self) -> Clock:
        """Time."""
        return self._parts.clock

    @property
    def slots(self) -> asyncio.Semaphore:
        """The places that all runs share (QUEUE-2)."""
        return self._slots

    async def build_lane_message(self, item: InboxItem, *, busy: bool) -> LaneMessage:
        """The message as the queue sees it; the session's own queue settings are read only when they matter."""
        config = self._parts.config()
        inbound = item.submission.inbound
        session = await self._parts.store.load_session(item.acceptance.session_key) if busy else None
        settings = resolve_queue_settings(
            config.queue,
            channel=inbound.channel,
            overrides=session.overrides if session else _NO_OVERRIDES,
        )
        _group, commands = self._open()
        mode = "interrupt" if commands.read_reset(item) else parse_queue_mode(item.submission.options.queue_mode)
        if mode is not None:
            settings = replace(settings, mode=mode)
        return LaneMessage(
            id=item.inbound_id,
            arrived_at=item.received_at,
            settings=settings,
            route=None if item.submission.session_key is not None else build_reply_target(inbound),
            line=inbound.text,
            turn_id=item.turn_id,
            is_command=commands.recognises(item),
        )

    def build_turn(self, lane: Lane, items: Sequence[InboxItem], decided: Next | None) -> Turn:
        """A turn for these messages. Its id is the one that the first caller was told, else a fresh one."""
        turn_id = next((item.turn_id for item in items if item.turn_id), None) or self._parts.ids.turn_id()
        return Turn(
            self._services,
            lane.key,
            items,
            turn_id=turn_id,
            warm=self.warm(lane.key),
            tell_taken=lane.tell_taken,
            command=self._open()[1].read_reset(items[0]) if len(items) == 1 else None,
            queued=decided,
        )

    async def run_command(self, item: InboxItem) -> None:
        """Do a chat command that needs no model."""
        await self._open()[1].run(item)

    async def end_messages(self, key: SessionKey, items: Sequence[InboxItem], dropped: Sequence[Dropped]) -> None:
        """End messages that will not run, and tell each sender once (LOSS-2)."""
        by_id = {one.id: one for one in dropped}
        draw = self._parts.ids.delivery_id
        plans = [plan_expiry(item, by_id[item.inbound_id], draw=draw) for item in items]
        change = SessionChange(
            inbox=tuple(one for plan in plans for one in plan.inbox),
            deliveries=tuple(one for plan in plans for one in plan.deliveries),
            decisions=tuple(one for plan in plans for one in plan.decisions),
        )
        changed = await self._services.change("expire_messages", key, lambda _facts: change)
        session_id = changed.session.session_id if changed.session else SessionId("")
        for item in items:
            if by_id[item.inbound_id].merged_into is None:
                self._services.tell_expired(item, session_id)

    async def record(self, name: str, key: SessionKey, change: SessionChange) -> None:
        """Write a change that belongs to no turn."""
        await self._services.change(name, key, lambda _facts: change)

    async def fail_turn(self, turn: LaneWork) -> None:
        """End a turn after a defect of ours, so that its sender is told."""
        try:
            await turn.fail("Something went wrong inside the gateway. The message is kept; its log says more.")
        except StoreError as error:
            # The rows still say "running": the next start takes the turn up again.
            log.error("turn_not_closed", turn_id=turn.turn_id, error=str(error))

    def retire(self, lane: Lane) -> None:
        """Forget an idle lane and the context it kept warm."""
        if self._lanes.get(lane.key) is lane:
            del self._lanes[lane.key]
            self._warm.pop(lane.key, None)
