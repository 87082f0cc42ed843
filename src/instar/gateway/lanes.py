"""All lanes of one gateway: found or made by key, retired when idle, and the host that each of them asks.

An idle lane costs a task and the context it keeps warm, so it goes after a while; the next message makes it anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import structlog

from instar.core.delivery.route import resolve_route
from instar.core.model.change import InboxItem, SessionChange
from instar.core.model.ids import InboundId, SessionId, SessionKey, TurnId
from instar.core.model.session import Overrides
from instar.core.queue.debounce import name_line
from instar.core.queue.lane import Dropped, LaneMessage
from instar.core.queue.mode import Next
from instar.core.queue.pools import Pool, pool_size, resolve_pool
from instar.core.queue.settings import parse_queue_mode
from instar.core.turn.inline import find_inline_queue
from instar.core.turn.recover import read_steered
from instar.core.turn.reply import plan_expiry
from instar.errors import InvariantBroken
from instar.gateway.commands import Commands
from instar.gateway.lane import Lane
from instar.gateway.lane_mail import stopping
from instar.gateway.lane_ports import LaneWork, SteeredMail
from instar.gateway.parts import GatewayParts
from instar.gateway.prepared import PreparedTurn
from instar.gateway.queueing import queue_settings
from instar.gateway.tool_calls import close_cut_calls
from instar.gateway.turn import Turn
from instar.gateway.turn_budget import TurnBudget
from instar.gateway.turn_services import TurnServices
from instar.gateway.warm import WarmContext
from instar.ports.clock import Clock

__all__ = ["Lanes"]

_NO_OVERRIDES = Overrides()

_DEFECT = "Something went wrong inside the gateway. The message is kept; its log says more."

log = structlog.get_logger(__name__)


class Lanes:
    """The lanes of one gateway. `group` owns their tasks."""

    def __init__(self, parts: GatewayParts, services: TurnServices) -> None:
        self._parts = parts
        self._services = services
        self._opened: tuple[asyncio.TaskGroup, Commands] | None = None
        self._lanes: dict[SessionKey, Lane] = {}
        self._is_stopped = False
        self._warm: dict[SessionKey, WarmContext] = {}
        queue = parts.config().queue
        pools: tuple[Pool, ...] = get_args(Pool)
        self._slots = {pool: asyncio.Semaphore(pool_size(queue, pool)) for pool in pools}

    def open(self, group: asyncio.TaskGroup, commands: Commands) -> None:
        """Let lanes start, with their tasks in `group`."""
        self._opened = group, commands

    @property
    def is_open(self) -> bool:
        """Whether lanes may start: the gateway was started."""
        return self._opened is not None

    def _open(self) -> tuple[asyncio.TaskGroup, Commands]:
        if self._opened is None:
            raise InvariantBroken("lanes are used between a gateway's start and its end")
        return self._opened

    def get(self, key: SessionKey) -> Lane:
        """The lane of a key, made and started if there is none. Raises `Unavailable` for a new one after a stop."""
        lane = self._lanes.get(key)
        if lane is None:
            if self._is_stopped:
                raise stopping()
            lane = self._lanes[key] = Lane(key, self, self._open()[0])
            lane.start()
        return lane

    def find(self, key: SessionKey) -> Lane | None:
        """The lane of a key, None if it is idle and gone."""
        return self._lanes.get(key)

    async def stop(self) -> None:
        """End every lane, and make no more: nobody would end them."""
        self._is_stopped = True
        for lane in self:
            await lane.stop()

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

    def slots(self, key: SessionKey) -> asyncio.Semaphore:
        """The places that the runs of a session share with others (QUEUE-2)."""
        return self._slots[resolve_pool(key)]

    async def build_lane_message(self, item: InboxItem, *, busy: bool) -> LaneMessage:
        """The message as the queue sees it; the session's own queue settings are read only when they matter."""
        inbound = item.submission.inbound
        sender = inbound.sender
        commands = self._open()[1]
        inline = commands.read_inline(item)
        session = await self._parts.store.load_session(item.acceptance.session_key) if busy else None
        settings = queue_settings(
            self._parts,
            inbound.channel,
            session.overrides if session else _NO_OVERRIDES,
            inline=find_inline_queue(inline) if inline else None,
        )
        is_reset = commands.read_reset(item) is not None
        mode = "interrupt" if is_reset else parse_queue_mode(item.submission.options.queue_mode)
        if mode is not None:
            settings = replace(settings, mode=mode)
        return LaneMessage(
            id=item.inbound_id,
            arrived_at=item.received_at,
            settings=settings,
            route=resolve_route(item),
            line=name_line(inbound.text, None if inbound.chat.type == "direct" else sender.name or sender.id),
            turn_id=item.turn_id,
            is_command=commands.recognises(item),
            is_reset=is_reset,
            taken_by=read_steered(item),
        )

    def build_turn(
        self,
        key: SessionKey,
        items: Sequence[InboxItem],
        decided: Next | None,
        *,
        steered: SteeredMail,
        alone: bool,
        fanout: bool,
    ) -> LaneWork:
        """A turn for these messages. Its id is the one that the first caller was told, else a fresh one."""
        turn_id = next((item.turn_id for item in items if item.turn_id), None) or self._parts.ids.turn_id()
        command = self._open()[1].read_reset(items[0]) if len(items) == 1 else None
        cut = self._open()[1].cut
        items = tuple(cut(item) for item in items)
        budget = TurnBudget(self._services, key, items, command=command, alone=alone)
        turn = Turn(
            self._services,
            key,
            items,
            turn_id=turn_id,
            warm=self.warm(key),
            steered=_CutMail(steered, cut),
            budget=budget,
            command=command,
            queued=decided,
            alone=alone,
            held=fanout,
        )
        return PreparedTurn(self._services, turn, items, warm=self.warm(key), budget=budget, alone=alone)

    async def is_held(self, items: Sequence[InboxItem]) -> bool:
        """Whether an interrupted turn went on beside others: then it has lines that wait (QUEUE-9)."""
        turn_id = next((item.turn_id for item in items if item.turn_id), None)
        return turn_id is not None and bool(await self._parts.store.load_held(turn_id))

    async def close_cut_calls(self, key: SessionKey) -> None:
        """Give every tool call that was running when the last gateway ended a result that says so (LOSS-4)."""
        await close_cut_calls(self._services, key)
        self.warm(key).forget()

    async def run_command(self, item: InboxItem) -> Callable[[], Awaitable[None]]:
        """Do a chat command that needs no model; what is returned writes its end down."""
        return await self._open()[1].run(item)

    async def end_messages(self, key: SessionKey, items: Sequence[InboxItem], dropped: Sequence[Dropped]) -> None:
        """End messages that will not run, and tell each sender once (LOSS-2)."""
        by_id = {one.id: one for one in dropped}
        change = plan_expiry(items, by_id, draw=self._parts.ids.delivery_id, text_max_chars=self._services.text_limit)
        changed = await self._services.change("expire_messages", key, lambda _facts: change)
        session_id = changed.session.session_id if changed.session else SessionId("")
        for item in items:
            is_defect = by_id[item.inbound_id].reason == "internal"
            self._services.tell_expired(item, session_id, error=_DEFECT if is_defect else None)

    async def record(self, name: str, key: SessionKey, change: SessionChange) -> None:
        """Write a change that belongs to no turn."""
        await self._services.change(name, key, lambda _facts: change)

    async def fail_work(self, work: LaneWork) -> None:
        """End a run after a defect of ours, so that its sender is told; raises nothing."""
        try:
            await work.fail(_DEFECT)
        except Exception:
            # The lane boundary (style, section 6): a defect that keeps its end from being written must not spread.
            log.exception("turn_not_failed", session_key=work.key, turn_id=work.turn_id)
        try:
            await self._services.insist(lambda: self._end_open(work))
        except Exception:
            # The same; the rows still say "running", so the next start takes the turn up again.
            log.exception("turn_not_closed", session_key=work.key, turn_id=work.turn_id)

    async def _end_open(self, work: LaneWork) -> None:
        """End what a failed run has left open."""
        ids = [item.inbound_id for item in work.items]
        rows = await self._parts.store.load_inbox(inbound_ids=ids, limit=len(ids)) if ids else ()
        left = [row for row in rows if row.ended_at is None]
        if left:
            await self.end_messages(work.key, left, [Dropped(id=row.inbound_id, reason="internal") for row in left])

    def retire(self, key: SessionKey) -> None:
        """Forget an idle lane and the context it kept warm."""
        self._lanes.pop(key, None)
        self._warm.pop(key, None)


@dataclass(frozen=True, slots=True)
class _CutMail:
    """Messages that steer, as the agent reads them: without the directives in their text (CMD-28)."""

    mail: SteeredMail
    cut: Callable[[InboxItem], InboxItem]

    def has_steered(self, turn_id: TurnId) -> bool:
        """Whether a message waits to be put into this turn."""
        return self.mail.has_steered(turn_id)

    def take_steered(self, turn_id: TurnId) -> tuple[tuple[InboxItem, ...], frozenset[InboundId]]:
        """Those messages, taken out of the lane, and which of them also wait for a turn of their own."""
        items, staying = self.mail.take_steered(turn_id)
        return tuple(self.cut(item) for item in items), staying

    def confirm_begun(self, turn_id: TurnId) -> None:
        """The turn has begun."""
        self.mail.confirm_begun(turn_id)

    def confirm_steered(self, turn_id: TurnId) -> None:
        """What was taken is committed."""
        self.mail.confirm_steered(turn_id)
