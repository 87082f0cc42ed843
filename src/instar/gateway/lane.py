"""One lane per session key: whose turn it is (QUEUE-1…17, LOSS-2).

A lane is one task with a mailbox. Messages, ended turns, aborts and operations all reach it there and are taken one
after the other, so nothing about a session needs a lock. Every question is answered by `instar.core.queue.mode`;
the lane loads what the question needs, asks, and carries the answer out: it starts turns, offers them steered
messages, ends messages that will not run, and tells their senders.

Limits: the queue's cap is the mode's (`QueueSettings.cap`); a stop waits `STOP_WAIT_S` for a turn to end.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import structlog

from instar.core.model.change import InboxItem, Noted, SessionChange
from instar.core.model.ids import InboundId, Instant, SessionKey, TurnId
from instar.core.queue.lane import (
    IDLE_LANE,
    Dropped,
    LaneMessage,
    LaneRun,
    LaneState,
    apply_ended,
    apply_started,
    apply_taken,
)
from instar.core.queue.mode import (
    AbortCause,
    Arrival,
    Next,
    apply_abort,
    apply_arrival,
    apply_next,
    decide_abort,
    decide_arrival,
    decide_next,
)
from instar.errors import StoreError, Unavailable
from instar.gateway.warm import WarmContext
from instar.ports.clock import Clock

__all__ = ["Lane", "LaneBook", "LaneHost", "LaneWork"]

STOP_WAIT_S = 15.0
"""How long a stop waits for a turn to end before it gives up (RPC-35, COMPACT-20)."""

STORE_PAUSE_S = 2.0
"""Rest before a turn that the store refused (a full disk) is taken up again."""

IDLE_S = 120.0
"""An idle lane gives up its place, and the context it kept warm, after this long."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


class LaneWork(Protocol):
    """What a lane runs: a turn, or a compaction that somebody asked for."""

    turn_id: TurnId
    has_begun: bool

    @property
    def is_stopping(self) -> bool:
        """Whether somebody asked it to end."""
        ...

    def offer(self, item: InboxItem) -> None:
        """Offer a message to be taken at the next boundary (QUEUE-3)."""
        ...

    def stop(self, cause: str) -> None:
        """End it at once."""
        ...

    async def run(self, *, resume: bool = False) -> None:
        """Do it; again with `resume` after the store refused it for a while."""
        ...

    async def fail(self, sentence: str) -> None:
        """End it after a defect of ours."""
        ...


class LaneHost(Protocol):
    """What a lane asks of the gateway around it."""

    @property
    def clock(self) -> Clock:
        """Time."""
        ...

    async def build_lane_message(self, item: InboxItem, *, busy: bool) -> LaneMessage:
        """The message as the queue sees it; `busy` says whether its settings will matter."""
        ...

    def build_turn(self, lane: Lane, items: Sequence[InboxItem], decided: Next | None) -> LaneWork:
        """A turn for these messages, not yet begun."""
        ...

    async def run_command(self, item: InboxItem) -> None:
        """Do a chat command that needs no model; ends its message."""
        ...

    async def end_messages(self, key: SessionKey, items: Sequence[InboxItem], dropped: Sequence[Dropped]) -> None:
        """End messages that will not run, and tell their senders once."""
        ...

    async def record(self, name: str, key: SessionKey, change: SessionChange) -> None:
        """Write a change that belongs to no turn."""
        ...

    async def fail_turn(self, turn: LaneWork) -> None:
        """End a turn after a defect of ours, so that its sender is told."""
        ...

    def retire(self, lane: Lane) -> None:
        """Forget an idle lane."""
        ...

    @property
    def slots(self) -> asyncio.Semaphore:
        """The places that all runs share (QUEUE-2)."""
        ...


class LaneBook(Protocol):
    """All lanes of a gateway, as operations and commands need them."""

    def get(self, key: SessionKey) -> Lane:
        """The lane of a key, made and started if there is none."""
        ...

    def find(self, key: SessionKey) -> Lane | None:
        """The lane of a key, None if it is idle and gone."""
        ...

    def active_turn_ids(self, key: SessionKey) -> tuple[TurnId, ...]:
        """The turns of a session that run now."""
        ...

    def warm(self, key: SessionKey) -> WarmContext:
        """What the model sees of a session, kept warm while its lane lives."""
        ...

    def __iter__(self) -> Iterator[Lane]:
        """Every lane there is now."""
        ...


@dataclass(frozen=True, slots=True)
class _Arrived:
    item: InboxItem


@dataclass(frozen=True, slots=True)
class _Resume:
    turn_id: TurnId
    items: tuple[InboxItem, ...]


@dataclass(frozen=True, slots=True)
class _Taken:
    ids: tuple[InboundId, ...]


@dataclass(frozen=True, slots=True)
class _Ended:
    turn_id: TurnId


@dataclass(frozen=True, slots=True)
class _Abort:
    cause: AbortCause
    turn_id: TurnId | None
    done: asyncio.Future[tuple[TurnId, ...]]


@dataclass(frozen=True, slots=True)
class _Perform:
    operation: Callable[[], Awaitable[Any]]  # Any: each operation has a result of its own; `perform` restores its type
    cause: AbortCause | None
    done: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class _Compact:
    run: LaneWork


_Mail = _Arrived | _Resume | _Taken | _Ended | _Abort | _Perform | _Compact


@dataclass(slots=True)
class _Running:
    turn: LaneWork
    task: asyncio.Task[None]


class Lane:
    """The lane of one session key. `start` once; everything else is mail."""

    def __init__(self, key: SessionKey, host: LaneHost, group: asyncio.TaskGroup) -> None:
        self.key = key
        self._host = host
        self._group = group
        self._mail: asyncio.Queue[_Mail] = asyncio.Queue()
        self._later: deque[_Mail] = deque()
        self._state: LaneState = IDLE_LANE
        self._items: dict[InboundId, InboxItem] = {}
        self._running: dict[TurnId, _Running] = {}
        self._wake_at: Instant | None = None
        self._task: asyncio.Task[None] | None = None

    # --- mail, from any task --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to take mail."""
        self._task = self._group.create_task(self._take_mail(), name=f"lane:{self.key}")

    def offer(self, item: InboxItem) -> None:
        """Hand over an accepted message."""
        self._mail.put_nowait(_Arrived(item))

    def resume(self, turn_id: TurnId, items: tuple[InboxItem, ...]) -> None:
        """Hand over a turn that a crash interrupted, before any message is offered (LOSS-4)."""
        self._mail.put_nowait(_Resume(turn_id, items))

    async def abort(self, cause: AbortCause, turn_id: TurnId | None = None) -> tuple[TurnId, ...]:
        """Empty the lane, or end one turn, and wait until that is done; the turn ids that were ended (QUEUE-16)."""
        done: asyncio.Future[tuple[TurnId, ...]] = asyncio.get_running_loop().create_future()
        self._mail.put_nowait(_Abort(cause, turn_id, done))
        return await done

    async def perform(self, operation: Callable[[], Awaitable[T]], *, cause: AbortCause | None = None) -> T:
        """Run work that must not run beside a turn (a reset, a deletion): with a `cause` the lane is emptied first,
        else the turn may finish.

        Raises `Unavailable` when a turn does not end in time.
        """
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._mail.put_nowait(_Perform(operation, cause, done))
        return await done

    async def stop(self, *, cut: bool) -> None:
        """End the lane's task and, with `cut`, the turns with it; what is cut goes on at the next start."""
        tasks = [running.task for running in self._running.values()] if cut else []
        if self._task is not None:
            tasks.append(self._task)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- what others may ask ----------------------------------------------------------------------------------------

    @property
    def active_turn_ids(self) -> tuple[TurnId, ...]:
        """The turns that run now."""
        return tuple(self._running)

    @property
    def waiting_count(self) -> int:
        """Messages that wait."""
        return len(self._state.waiting)

    @property
    def is_idle(self) -> bool:
        """Nothing runs, nothing waits, no mail."""
        return not self._running and not self._state.waiting and self._mail.empty() and not self._later

    def compact(self, run: LaneWork) -> None:
        """Stop what runs, then run a compaction; messages wait behind it (COMPACT-20, COMPACT-24)."""
        self._mail.put_nowait(_Compact(run))

    async def compact_from_inside(self, run: LaneWork) -> None:
        """As `compact`, but called by a command that this lane is doing right now, so not by mail."""
        running = tuple(self._running)
        for turn_id in running:
            self._stop_turn(turn_id, "compact")
        await self._wait_ended(running)
        self._state = apply_started(self._state, LaneRun(turn_id=run.turn_id, kind="compaction", steerable=False))
        self._launch(run, resume=False)

    async def stop_from_inside(self, cause: AbortCause) -> tuple[TurnId, ...]:
        """As `abort`, but called by a command that this lane is doing right now, so not by mail."""
        return await self._empty(cause, None)

    # --- called by the lane's own turns -------------------------------------------------------------------------------

    def tell_taken(self, ids: tuple[InboundId, ...]) -> None:
        """A turn has committed these steered messages."""
        self._mail.put_nowait(_Taken(ids))

    # --- the task -----------------------------------------------------------------------------------------------------

    async def _take_mail(self) -> None:
        """Take mail until the lane has been idle for a while."""
        while True:
            mail = await self._next_mail()
            if mail is None and self.is_idle:
                self._host.retire(self)
                return
            try:
                if mail is not None:
                    await self._take(mail)
                await self._advance()
            except StoreError as error:
                # The rows still say "waiting": nothing is lost, and the next start or message takes them up.
                log.error("lane_store_failed", session_key=self.key, error=str(error))
                self._wake_at = Instant(self._host.clock.now() + int(STORE_PAUSE_S * 1000))
            except Exception:
                # The lane boundary (style, section 6): a defect in one message must not silence the session.
                log.exception("lane_failed", session_key=self.key)

    async def _next_mail(self) -> _Mail | None:
        """The next piece of mail; None when a wait is over."""
        if self._later:
            return self._later.popleft()
        if self._wake_at is None and not self.is_idle:
            return await self._mail.get()
        wait_s = IDLE_S if self._wake_at is None else max(0.0, (self._wake_at - self._host.clock.now()) / 1000)
        getter = asyncio.ensure_future(self._mail.get())
        sleeper = asyncio.ensure_future(self._host.clock.sleep(wait_s))
        try:
            await asyncio.wait({getter, sleeper}, return_when=asyncio.FIRST_COMPLETED)
            if getter.done():
                return getter.result()
            self._wake_at = None
            return None
        finally:
            sleeper.cancel()
            if not getter.done():
                getter.cancel()

    async def _take(self, mail: _Mail) -> None:
        match mail:
            case _Arrived(item):
                await self._take_arrival(item)
            case _Resume(turn_id, items):
                self._launch(self._host.build_turn(self, items, None), resume=True)
                self._state = apply_started(self._state, LaneRun(turn_id=turn_id))
            case _Taken(ids):
                self._state = apply_taken(self._state, ids)
                for inbound_id in ids:
                    if all(message.id != inbound_id for message in self._state.waiting):
                        self._items.pop(inbound_id, None)
            case _Ended(turn_id):
                self._running.pop(turn_id, None)
                self._state = apply_ended(self._state, turn_id)
            case _Abort(cause, turn_id, done):
                await self._answer(done, self._empty(cause, turn_id))
            case _Perform(operation, cause, done):
                await self._answer(done, self._perform_now(operation, cause))
            case _Compact(run):
                await self.compact_from_inside(run)

    async def _answer(self, done: asyncio.Future[T], work: Awaitable[T]) -> None:
        """Give the result or the error of `work` to whoever waits for it."""
        try:
            result = await work
        except Exception as error:  # noqa: BLE001 - passed on whole to the task that waits for it
            # The waiting task raises it; the lane itself goes on.
            if not done.cancelled():
                done.set_exception(error)
        else:
            if not done.cancelled():
                done.set_result(result)

    async def _take_arrival(self, item: InboxItem) -> None:
        busy = bool(self._state.running or self._state.waiting)
        message = await self._host.build_lane_message(item, busy=busy)
        arrival = decide_arrival(self._state, message, now=self._host.clock.now())
        self._state = apply_arrival(self._state, message, arrival)
        await self._drop(arrival.dropped)
        for turn_id in arrival.abort:
            self._stop_turn(turn_id, "interrupt")
        if busy:
            await self._note(item, message, arrival)
        await self._carry_out(item, arrival)

    async def _carry_out(self, item: InboxItem, arrival: Arrival) -> None:
        match arrival.action:
            case "command":
                await self._host.run_command(item)
            case "start" | "fanout":
                turn = self._host.build_turn(self, (item,), None)
                run = LaneRun(turn_id=turn.turn_id, fanout=arrival.action == "fanout")
                self._state = apply_started(self._state, run)
                self._launch(turn, resume=False)
            case "refuse":
                self._items[item.inbound_id] = item
                await self._drop((Dropped(id=item.inbound_id, reason="queue_cap"),))
            case "steer" | "wait" | "collect" | "interrupt":
                self._items[item.inbound_id] = item
                if arrival.steer_into is not None and arrival.steer_into in self._running:
                    self._running[arrival.steer_into].turn.offer(item)
            case "duplicate":
                log.info("lane_duplicate", session_key=self.key, inbound_id=item.inbound_id)

    async def _advance(self) -> None:
        """Start what may start now, or set the alarm for when something may."""
        while True:
            decided = decide_next(self._state, now=self._host.clock.now())
            self._wake_at = decided.wake_at if decided.action == "wait" else None
            if decided.action != "run":
                return
            items = tuple(self._items.pop(inbound_id) for inbound_id in decided.ids)
            turn = self._host.build_turn(self, items, decided)
            self._state = apply_next(self._state, decided, LaneRun(turn_id=turn.turn_id, fanout=decided.fanout))
            self._launch(turn, resume=False)

    # --- turns --------------------------------------------------------------------------------------------------------

    def _launch(self, turn: LaneWork, *, resume: bool) -> None:
        task = self._group.create_task(self._run_turn(turn, resume=resume), name=f"turn:{turn.turn_id}")
        self._running[turn.turn_id] = _Running(turn, task)

    async def _run_turn(self, turn: LaneWork, *, resume: bool) -> None:
        """Run a turn to its end; a store that refuses us for a while only makes it late."""
        try:
            async with self._host.slots:
                while True:
                    try:
                        await turn.run(resume=resume)
                        return
                    except StoreError as error:
                        log.error("turn_store_failed", session_key=self.key, turn_id=turn.turn_id, error=str(error))
                        if turn.is_stopping:
                            return
                        await self._host.clock.sleep(STORE_PAUSE_S)
                        resume = turn.has_begun
        except Exception:
            # The lane boundary (style, section 6): a defect in one turn must not silence the session.
            log.exception("turn_failed", session_key=self.key, turn_id=turn.turn_id)
            await self._host.fail_turn(turn)
        finally:
            self._mail.put_nowait(_Ended(turn.turn_id))

    def _stop_turn(self, turn_id: TurnId, cause: str) -> None:
        running = self._running.get(turn_id)
        if running is not None:
            running.turn.stop(cause)

    async def _empty(self, cause: AbortCause, turn_id: TurnId | None) -> tuple[TurnId, ...]:
        """Drop what waits, end what runs, and wait until it has ended."""
        decided = decide_abort(self._state, cause=cause, turn_id=turn_id)
        self._state = apply_abort(self._state, decided)
        told = tuple(
            self._items[dropped.id].turn_id or TurnId(dropped.id)
            for dropped in decided.dropped
            if dropped.id in self._items
        )
        await self._drop(decided.dropped)
        for running_id in decided.abort:
            self._stop_turn(running_id, cause)
        await self._wait_ended(decided.abort)
        return (*told, *decided.abort)

    async def _wait_ended(self, turn_ids: Sequence[TurnId]) -> None:
        """Take only ended turns from the mailbox until these have ended; keep other mail for later."""
        deadline = self._host.clock.monotonic() + STOP_WAIT_S
        while any(turn_id in self._running for turn_id in turn_ids):
            left = deadline - self._host.clock.monotonic()
            try:
                mail = await asyncio.wait_for(self._mail.get(), max(0.001, left))
            except TimeoutError:
                raise Unavailable(
                    "The running turn did not stop",
                    why=f"it is still busy after {STOP_WAIT_S:.0f} seconds",
                    fix="Try again; if it stays, restart the gateway.",
                    retry_after_ms=5_000,
                ) from None
            if isinstance(mail, _Ended | _Taken):
                await self._take(mail)
            else:
                self._later.append(mail)

    async def _perform_now(self, operation: Callable[[], Awaitable[T]], cause: AbortCause | None) -> T:
        if cause is not None:
            await self._empty(cause, None)
        else:
            await self._wait_ended(tuple(self._running))
        return await operation()

    # --- messages that end here ---------------------------------------------------------------------------------------

    async def _drop(self, dropped: Sequence[Dropped]) -> None:
        items = [self._items.pop(one.id) for one in dropped if one.id in self._items]
        if items:
            await self._host.end_messages(self.key, items, dropped)

    async def _note(self, item: InboxItem, message: LaneMessage, arrival: Arrival) -> None:
        """Record why a message that met a busy lane starts, waits or steers (WHY-1)."""
        noted = Noted(decision=arrival.as_decision(message.settings), inbound_id=item.inbound_id)
        await self._host.record("note_queue", self.key, SessionChange(decisions=(noted,)))
