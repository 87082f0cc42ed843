"""One lane per session key: whose turn it is (QUEUE-1…17, LOSS-2).

A lane is one task with a mailbox. Messages, ended turns, aborts and operations all reach it there and are taken one
after the other, so nothing about a session needs a lock. Every question is answered by `instar.core.queue.mode`;
the lane loads what the question needs, asks, and carries the answer out: it starts turns, ends messages that will
not run, and tells their senders.

Theory of operation. Taking a piece of mail has two halves. First what may fail is awaited, with nothing changed yet:
when the store refuses, the mail is put back and taken again after a rest. Then the answer is applied in memory, in one
go and without awaiting. Rows that must follow (a message expired, a decision noted) are *owed*: they are written
right afterwards, in order, and again later while the store refuses. So a full disk makes a session late; it never
makes it forget. What is not written when the process ends is still "waiting" in the rows, for the next start.

The one thing that does not come by mail is a turn that takes steered messages: it asks at its boundary
(`take_steered`), and they leave the lane in the same instant. Were they only reported as taken afterwards, a cap or an
abort could end in between what the turn has already told the model.

Limits: the queue's cap is the mode's (`QueueSettings.cap`); a stop waits `STOP_WAIT_S` for a turn to end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

import structlog

from instar.core.model.change import InboxItem
from instar.core.model.ids import InboundId, SessionKey, TurnId
from instar.core.queue.lane import (
    IDLE_LANE,
    Dropped,
    DropReason,
    LaneRun,
    LaneState,
    apply_ended,
    apply_left_out,
    apply_started,
    apply_steerable,
    apply_taken,
    find_steered,
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
from instar.core.turn.recover import build_steered_reason
from instar.errors import FenceLost, StoreError, Unavailable
from instar.gateway.lane_debts import STORE_PAUSE_S, Debts
from instar.gateway.lane_mail import (
    Abort,
    Arrived,
    Compact,
    Confirmed,
    Ended,
    Mail,
    Perform,
    Recall,
    Resume,
    answer,
    begin,
    refuse,
)
from instar.gateway.lane_mailbox import Mailbox
from instar.gateway.lane_ports import LaneHost, LaneWork
from instar.gateway.lane_runs import Running
from instar.gateway.waiting import end_tasks
from instar.gateway.warm import WarmContext

__all__ = ["Lane", "LaneBook"]

STOP_WAIT_S = 15.0
"""How long a stop waits for a turn to end before it gives up (RPC-35, COMPACT-20)."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


class LaneBook(Protocol):
    """All lanes of a gateway, as operations and commands need them."""

    @property
    def is_open(self) -> bool:
        """Whether lanes may start: the gateway was started."""
        ...

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


class Lane:
    """The lane of one session key. `start` once; everything else is mail."""

    def __init__(self, key: SessionKey, host: LaneHost, group: asyncio.TaskGroup) -> None:
        self.key = key
        self._host = host
        self._group = group
        self._mail = Mailbox(host.clock)
        self._owed = Debts(key, host)
        self._has_closed_calls = False
        self._state: LaneState = IDLE_LANE
        self._items: dict[InboundId, InboxItem] = {}
        self._running: dict[TurnId, Running] = {}
        self._is_draining = False
        self._task: asyncio.Task[None] | None = None

    # --- mail, from any task --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to take mail."""
        self._task = self._group.create_task(self._take_mail(), name=f"lane:{self.key}")

    def offer(self, item: InboxItem) -> None:
        """Hand over an accepted message."""
        self._mail.put(Arrived(item))

    def resume(self, items: tuple[InboxItem, ...]) -> None:
        """Hand over the messages of a turn that a crash interrupted, before any message is offered (LOSS-4)."""
        self._mail.put(Resume(items))

    def recall(self, items: tuple[InboxItem, ...]) -> None:
        """Hand over what fell to a full queue before a crash, before any message is offered (QUEUE-13)."""
        self._mail.put(Recall(items))

    async def abort(self, cause: AbortCause, turn_id: TurnId | None = None) -> tuple[TurnId, ...]:
        """Empty the lane, or end one turn, and wait until that is done; the turn ids that were ended (QUEUE-16)."""
        done: asyncio.Future[tuple[TurnId, ...]] = asyncio.get_running_loop().create_future()
        await self._ask(Abort(cause, turn_id, done))
        return await done

    async def perform(self, operation: Callable[[], Awaitable[T]], *, cause: AbortCause | None = None) -> T:
        """Run work that must not run beside a turn (a reset, a deletion): with a `cause` the lane is emptied first,
        else the turn may finish.

        Raises `Unavailable` when a turn does not end in time, or when what is dropped cannot be written down.
        """
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        await self._ask(Perform(operation, cause, done))
        return await done

    async def _ask(self, mail: Mail) -> None:
        """Put in what somebody waits for; whoever comes to a lane that was stopped is told at once."""
        await refuse(mail) if self._mail.is_left else self._mail.put(mail)

    def drain(self) -> None:
        """Start nothing more; what runs may end. What waits is left in its rows for the next start."""
        self._is_draining = True

    async def stop(self) -> None:
        """End the lane's task and its turns; what is cut goes on at the next start, who waits is told."""
        await end_tasks([*self.tasks, self._task] if self._task is not None else self.tasks)
        for mail in self._mail.leave():
            await refuse(mail)
        for running in self._running.values():
            if not running.work.items:
                # Nobody's message began it, and ended before its first step it could not tell anybody itself.
                await refuse(Compact(running.work))

    # --- what others may ask ----------------------------------------------------------------------------------------

    @property
    def active_turn_ids(self) -> tuple[TurnId, ...]:
        """The turns that run now."""
        return tuple(self._running)

    @property
    def tasks(self) -> tuple[asyncio.Task[None], ...]:
        """The tasks of the runs under way."""
        return tuple(running.task for running in self._running.values() if running.task is not None)

    @property
    def waiting_count(self) -> int:
        """Messages that wait."""
        return len(self._state.waiting)

    @property
    def is_idle(self) -> bool:
        """Nothing runs, nothing waits, no mail, nothing owed."""
        return not (self._running or self._state.waiting or self._mail or self._owed)

    async def compact(self, run: LaneWork) -> None:
        """Stop what runs, then run a compaction; messages wait behind it (COMPACT-20, COMPACT-24)."""
        await self._ask(Compact(run))

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

    def has_steered(self, turn_id: TurnId) -> bool:
        """Whether a message waits to be put into this turn (QUEUE-3)."""
        return bool(find_steered(self._state, turn_id))

    def take_steered(self, turn_id: TurnId) -> tuple[tuple[InboxItem, ...], frozenset[InboundId]]:
        """Those messages, taken out of the lane, and which of them also wait for a turn of their own (QUEUE-7)."""
        ids = [message.id for message in find_steered(self._state, turn_id)]
        self._state = apply_taken(self._state, ids)
        staying = frozenset(message.id for message in self._state.waiting) & frozenset(ids)
        items = tuple(self._items.pop(inbound_id) for inbound_id in ids)
        for item in items:
            if item.inbound_id in staying:
                self._items[item.inbound_id] = replace(item, reason=build_steered_reason(turn_id))
                self._owed.hold(item.inbound_id, turn_id)
        return items, staying

    def confirm_begun(self, turn_id: TurnId) -> None:
        """The begin of a turn is written: those that wait for it may begin beside it."""
        running = self._running.get(turn_id)
        if running is not None:
            running.confirm_begun()

    def confirm_steered(self, turn_id: TurnId) -> None:
        """What the turn took is committed: what became of these messages since may follow."""
        self._mail.put(Confirmed(turn_id))

    # --- the task -----------------------------------------------------------------------------------------------------

    async def _take_mail(self) -> None:
        """Take mail until the lane has been idle for a while."""
        while True:
            mail = await self._mail.take(is_idle=self.is_idle)
            if mail is None and self.is_idle:
                self._host.retire(self.key)
                return
            try:
                if mail is not None:
                    await self._take(mail)
                    self._mail.note_read()
            except FenceLost as error:
                log.critical("lane_lost", session_key=self.key, error=str(error))
                self._mail.note_read()
            except StoreError as error:
                # Nothing has changed yet: the mail is as good as unread.
                log.error("lane_store_failed", session_key=self.key, error=str(error))
                self._mail.put_back(mail) if mail is not None else None
                await self._host.clock.sleep(STORE_PAUSE_S)
                continue
            except Exception:
                # The lane boundary (style, section 6): a defect in one message must not silence the session.
                log.exception("lane_failed", session_key=self.key)
                self._mail.note_read()
                if isinstance(mail, Arrived):
                    self._give_up([mail.item])
            self._advance()
            await self._pay()

    async def _take(self, mail: Mail) -> None:
        match mail:
            case Arrived(item):
                await self._take_arrival(item)
            case Resume(items):
                if not self._has_closed_calls:
                    await self._host.close_cut_calls(self.key)
                    self._has_closed_calls = True
                is_held = await self._host.is_held(items)
                work = self._build_turn(items, None, fanout=is_held)
                if work is not None:
                    self._state = apply_started(self._state, LaneRun(turn_id=work.turn_id, fanout=is_held))
                    self._launch(work, resume=True)
            case Recall(items):
                left_out = [await self._host.build_lane_message(item, busy=True) for item in items]
                self._state = apply_left_out(self._state, left_out, cap=left_out[-1].settings.cap)
            case Ended(turn_id):
                self._running.pop(turn_id, None)
                self._state = apply_ended(self._state, turn_id)
                self._owed.confirm(turn_id)
            case Confirmed(turn_id):
                self._owed.confirm(turn_id)
            case Abort(cause, run_id, done):
                await answer(done, self._empty(cause, run_id))
            case Perform(operation, cause, done):
                await answer(done, self._perform_now(operation, cause))
            case Compact(run):
                await begin(run, self.compact_from_inside(run))

    async def _take_arrival(self, item: InboxItem) -> None:
        """What may fail first, then the answer in one go."""
        if self._is_draining:
            return
        busy = bool(self._state.running or self._state.waiting)
        message = await self._host.build_lane_message(item, busy=busy)
        if message.is_command:
            self._owed.owe(await self._host.run_command(item))
            return
        for turn_id, running in self._running.items():
            self._state = apply_steerable(self._state, turn_id, steerable=running.work.takes(message.route))
        arrival = decide_arrival(self._state, message, now=self._host.clock.now())
        told_of = self._state.dropped_ids
        self._state = apply_arrival(self._state, message, arrival)
        self._items[item.inbound_id] = item
        self._owe_ends(arrival.dropped)
        self._owed.owe_forgotten(told_of, self._state.dropped_ids)
        for turn_id in arrival.abort:
            self._stop_turn(turn_id, "interrupt")
        if busy:
            self._owed.owe_note(item, message, arrival)
        self._carry_out(item, arrival)

    def _carry_out(self, item: InboxItem, arrival: Arrival) -> None:
        match arrival.action:
            case "start" | "fanout":
                del self._items[item.inbound_id]
                is_fanout = arrival.action == "fanout"
                work = self._build_turn((item,), None, fanout=is_fanout)
                if work is not None:
                    run = LaneRun(turn_id=work.turn_id, fanout=is_fanout)
                    self._state = apply_started(self._state, run)
                    self._launch(work, resume=False)
            case "refuse":
                self._owe_ends((Dropped(id=item.inbound_id, reason="queue_cap"),))
            case "duplicate":
                log.info("lane_duplicate", session_key=self.key, inbound_id=item.inbound_id)
            case _:
                pass  # it stands among the waiting; a turn that it steers asks for it

    def _advance(self) -> None:
        """Start what may start now, or set the alarm for when something may."""
        while not self._is_draining:
            decided = decide_next(self._state, now=self._host.clock.now())
            self._mail.wake_at = decided.wake_at if decided.action == "wait" else None
            if decided.action != "run":
                return
            items = tuple(self._items.pop(inbound_id) for inbound_id in decided.ids)
            work = self._build_turn(items, decided, fanout=decided.fanout)
            if work is None:
                gone = frozenset(decided.ids)
                left = tuple(message for message in self._state.waiting if message.id not in gone)
                self._state = replace(self._state, waiting=left)
                continue
            self._state = apply_next(self._state, decided, LaneRun(turn_id=work.turn_id, fanout=decided.fanout))
            self._launch(work, resume=False, told_of=decided.dropped_ids)

    # --- turns --------------------------------------------------------------------------------------------------------

    def _build_turn(self, items: tuple[InboxItem, ...], decided: Next | None, *, fanout: bool) -> LaneWork | None:
        """A turn for these messages; None after a defect of ours, of which their senders are told."""
        try:
            alone = not self._running
            return self._host.build_turn(self.key, items, decided, steered=self, alone=alone, fanout=fanout)
        except Exception:
            # The lane boundary (style, section 6): these messages must not be tried for ever.
            log.exception("turn_not_built", session_key=self.key)
            self._give_up(items)
            return None

    def _launch(self, work: LaneWork, *, resume: bool, told_of: tuple[InboundId, ...] = ()) -> None:
        earlier = tuple(one for one in self._running.values() if not one.begun.done())
        running = self._running[work.turn_id] = Running(work, earlier, told_of)
        if resume:
            running.confirm_begun()
        running.task = self._group.create_task(self._run(running, resume=resume), name=f"turn:{work.turn_id}")

    async def _run(self, running: Running, *, resume: bool) -> None:
        """Run a turn to its end, in one of the places that all share (QUEUE-2)."""
        work, slots = running.work, self._host.slots(self.key)
        has_place = False
        try:
            has_place = await running.take_place(slots)
            if has_place or await running.may_begin():
                await work.run(resume=resume)
            else:
                # An abort that names one run is all that can stop it and leave an earlier one waiting.
                self._give_up(work.items, reason="aborted")
                self._owed.owe_forgotten(running.told_of, ())
        except FenceLost as error:
            log.critical("lane_lost", session_key=self.key, turn_id=work.turn_id, error=str(error))
        except Exception:
            # The lane boundary (style, section 6): a defect in one turn must not silence the session.
            log.exception("turn_failed", session_key=self.key, turn_id=work.turn_id)
            await self._host.fail_work(work)
        finally:
            if has_place:
                slots.release()
            running.confirm_begun()
            self._mail.put(Ended(work.turn_id))

    def _stop_turn(self, turn_id: TurnId, cause: str) -> None:
        running = self._running.get(turn_id)
        if running is not None:
            running.stop(cause)

    async def _empty(self, cause: AbortCause, run_id: TurnId | None) -> tuple[TurnId, ...]:
        """Drop what waits, end what runs, and wait until it has ended."""
        turn_id = next((one for one, running in self._running.items() if run_id and running.work.owns(run_id)), run_id)
        decided = decide_abort(self._state, cause=cause, turn_id=turn_id)
        told_of = self._state.dropped_ids
        self._state = apply_abort(self._state, decided)
        told = [self._items[one.id].turn_id or TurnId(one.id) for one in decided.dropped]
        self._owe_ends(decided.dropped)
        self._owed.owe_forgotten(told_of, self._state.dropped_ids)
        for running_id in decided.abort:
            self._stop_turn(running_id, cause)
        await self._wait_ended(decided.abort)
        return (*told, *decided.abort)

    async def _wait_ended(self, turn_ids: Sequence[TurnId]) -> None:
        """Take only ended turns from the mailbox until these have ended; keep other mail for later."""
        clock = self._host.clock
        deadline = clock.monotonic() + STOP_WAIT_S
        while any(turn_id in self._running for turn_id in turn_ids):
            mail = await self._mail.take_new(max(0.0, deadline - clock.monotonic()))
            if mail is None:
                raise Unavailable(
                    "The running turn did not stop",
                    why=f"it is still busy after {STOP_WAIT_S:.0f} seconds",
                    fix="Try again; if it stays, restart the gateway.",
                    retry_after_ms=5_000,
                )
            if isinstance(mail, Ended | Confirmed):
                await self._take(mail)
                self._mail.note_read()
            else:
                self._mail.put_off(mail)

    async def _perform_now(self, operation: Callable[[], Awaitable[T]], cause: AbortCause | None) -> T:
        if cause is not None:
            await self._empty(cause, None)
        else:
            await self._wait_ended(tuple(self._running))
        await self._pay()
        if self._owed:
            raise Unavailable(
                "The session cannot be changed now",
                why="the store refuses to write",
                fix="Free space on the disk of the state directory, then try again.",
                retry_after_ms=5_000,
            )
        return await operation()

    # --- rows that must follow ----------------------------------------------------------------------------------------

    async def _pay(self) -> None:
        """Write what is owed; what the store refuses is tried again after a rest."""
        again = await self._owed.pay()
        if again is not None:
            self._mail.wake_no_later(again)

    def _owe_ends(self, dropped: Sequence[Dropped]) -> None:
        """Messages that end here, each with its reason."""
        self._owed.owe_ends([self._items.pop(one.id) for one in dropped], dropped)

    def _give_up(self, items: Sequence[InboxItem], *, reason: DropReason = "internal") -> None:
        """End messages that left the queue and will not be answered; `internal` is a defect of ours."""
        self._owed.owe_ends(items, [Dropped(id=item.inbound_id, reason=reason) for item in items])
