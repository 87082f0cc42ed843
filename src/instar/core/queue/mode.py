"""What a lane does with a message while a turn runs: a state machine over values (QUEUE-1…17).

Theory of operation. A lane is the queue of one session key. Its state has the runs that are under way and the
messages that wait, in arrival order. Two questions are asked of it:

* `decide_arrival` when a message comes: start a turn, put it into the running one, let it wait, or refuse it;
* `decide_next` when a turn ended, the quiet time is over, or the lane was just loaded: what runs now.

What follows from an answer is `apply_arrival`, `apply_next`, `apply_abort`; what else happens to a lane is in
`instar.core.queue.lane` (`apply_taken`: the running turn took steered messages; `apply_ended`). A message that steers
stands among the waiting ones until the turn has taken it; so when the turn ends first, or the process dies, it waits.

The invariants, which the property tests hold against random stories:

* a message leaves the waiting ones exactly once: into a turn, or dropped with a reason (LOSS-2);
* messages enter turns in arrival order; only `fanout`, which runs beside the others, may overtake (QUEUE-9);
* one turn at a time, but for `fanout`; nothing runs beside a compaction (QUEUE-2, COMPACT-24);
* never more messages wait than `cap`.

Not here: stopping runs, timers and rows (the gateway), the settings of a message (`instar.core.queue.settings`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from instar.core.model.decision import Decision
from instar.core.model.ids import InboundId, Instant, TurnId
from instar.core.queue.debounce import are_one_route, quiet_until
from instar.core.queue.lane import (
    Dropped,
    DropReason,
    LaneMessage,
    LaneRun,
    LaneState,
    apply_dropped,
    apply_stopping,
    build_dropped,
)
from instar.core.queue.settings import DEFAULT_QUEUE, QueueSettings

__all__ = [
    "Abort",
    "AbortCause",
    "Arrival",
    "ArrivalAction",
    "Next",
    "apply_abort",
    "apply_arrival",
    "apply_next",
    "decide_abort",
    "decide_arrival",
    "decide_next",
]

ArrivalAction = Literal["start", "steer", "wait", "collect", "interrupt", "fanout", "refuse", "command", "duplicate"]
"""What becomes of a message on arrival. `steer`, `wait`, `collect` and `interrupt` let it stand among the waiting."""

AbortCause = Literal["abort", "stop", "reset", "delete"]
"""Who empties a lane: `chat.abort`, `/stop`, a reset, the deletion of the session (QUEUE-16, QUEUE-17)."""

_REASON_OF_CAUSE: Final[dict[AbortCause, DropReason]] = {
    "abort": "aborted",
    "stop": "stopped",
    "reset": "reset",
    "delete": "deleted",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What becomes of a message that arrived.

    `steer_into` is the run that is offered the message, `abort` are the runs to end, `dropped` the waiting messages
    that end now. `wake_at` is when `decide_next` should be asked if no run ends before; None when only the end of a
    run can change anything. `reason` is a code for refused messages.
    """

    action: ArrivalAction
    rule: str
    steer_into: TurnId | None = None
    abort: tuple[TurnId, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    reason: str | None = None
    wake_at: Instant | None = None

    def as_decision(self, settings: QueueSettings) -> Decision:
        """The record of this decision (WHY-1)."""
        return Decision(
            kind="queue",
            outcome=self.action,
            rule=self.rule,
            inputs={
                "mode": settings.mode,
                "source": settings.sources.get("mode", "default"),
                "dropped": len(self.dropped),
                "reason": self.reason,
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """What a lane does now.

    `run`: the messages `ids` make one turn, numbered in its prompt if there are several; `dropped_ids` and
    `dropped_lines` tell the agent what fell to the cap before. `wait`: nothing before `wake_at`. `blocked`: nothing
    before a run ends. `idle`: nothing waits.
    """

    action: Literal["run", "wait", "blocked", "idle"]
    rule: str
    ids: tuple[InboundId, ...] = ()
    fanout: bool = False
    dropped_ids: tuple[InboundId, ...] = ()
    dropped_lines: tuple[str, ...] = ()
    wake_at: Instant | None = None
    separate: bool = False

    def as_decision(self) -> Decision:
        """The record of this decision (WHY-1)."""
        return Decision(
            kind="queue",
            outcome=self.action,
            rule=self.rule,
            inputs={"messages": len(self.ids), "dropped": len(self.dropped_ids)},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Abort:
    """What ends when a lane is emptied: waiting messages, then runs (QUEUE-16). Both empty: nothing was found."""

    rule: str
    dropped: tuple[Dropped, ...] = ()
    abort: tuple[TurnId, ...] = ()


def decide_arrival(state: LaneState, message: LaneMessage, *, now: Instant) -> Arrival:
    """What becomes of `message`, by the mode in its settings and what the lane is doing."""
    settings = message.settings
    if message.is_command:
        return Arrival(action="command", rule="CMD-33")
    if any(waiting.id == message.id for waiting in state.waiting):
        return Arrival(action="duplicate", rule="QUEUE-15", reason="duplicate")
    if settings.mode == "fanout" and _can_fan_out(state, settings):
        return Arrival(action="fanout", rule="QUEUE-9")
    if settings.mode == "interrupt":
        return _decide_interrupt(state, "reset" if message.is_reset else "interrupted")
    if not state.running and not state.waiting:
        return Arrival(action="start", rule="QUEUE-2")
    return _decide_wait(state, message, now=now)


def apply_arrival(state: LaneState, message: LaneMessage, arrival: Arrival) -> LaneState:
    """The lane after `decide_arrival`. A message that starts a turn enters it by `apply_started`."""
    state = apply_dropped(state, arrival.dropped, settings=message.settings)
    if arrival.abort:
        state = apply_stopping(state, arrival.abort)
    if arrival.action not in {"steer", "wait", "collect", "interrupt"}:
        return state
    return replace(state, waiting=(*state.waiting, replace(message, steering_into=arrival.steer_into)))


def decide_next(state: LaneState, *, now: Instant) -> Next:
    """What runs now, or what has to happen first (QUEUE-2, QUEUE-4, QUEUE-5, QUEUE-14)."""
    if not state.waiting:
        return Next(action="idle", rule="QUEUE-2")
    head = state.waiting[0]
    if head.settings.mode == "fanout":
        if not _can_fan_out(state, head.settings):
            return Next(action="blocked", rule=_rule_of_block(state, "QUEUE-9"))
        return _run(state, (head,), rule="QUEUE-9", fanout=True)
    if state.running:
        return Next(action="blocked", rule=_rule_of_block(state, "QUEUE-2"))
    if head.settings.mode == "interrupt":
        return _run(state, (head,), rule="QUEUE-6")
    last = state.waiting[-1]
    quiet_at = quiet_until(last_arrival_at=last.arrived_at, debounce_ms=last.settings.debounce_ms, now=now)
    # A full queue does not wait for quiet: under a steady stream it would drop messages while nothing runs.
    if quiet_at > now and len(state.waiting) < last.settings.cap:
        return Next(action="wait", rule="QUEUE-14", wake_at=quiet_at)
    return _decide_turn(state)


def apply_next(state: LaneState, decided: Next, run: LaneRun) -> LaneState:
    """The lane after the messages of `decided` (action `run`) entered the turn `run`."""
    left = tuple(message for message in state.waiting if message.id not in decided.ids)
    return replace(
        state,
        waiting=left,
        running=(*state.running, run),
        dropped_lines=(),
        dropped_ids=(),
        separate=decided.separate and bool(left),
    )


def decide_abort(state: LaneState, *, cause: AbortCause, turn_id: TurnId | None = None) -> Abort:
    """What ends: the turn `turn_id`, waiting or running; without one every waiting message, then every run.

    Waiting ones first, so that none of them starts when the run ends (QUEUE-16, QUEUE-17).
    """
    rule = "QUEUE-16" if cause == "abort" else "QUEUE-17"
    reason = _REASON_OF_CAUSE[cause]
    if turn_id is None:
        return Abort(
            rule=rule,
            dropped=build_dropped(state.waiting, reason),
            abort=tuple(run.turn_id for run in state.running),
        )
    waiting = build_dropped([message for message in state.waiting if message.turn_id == turn_id], reason)
    running = tuple(run.turn_id for run in state.running if run.turn_id == turn_id)
    return Abort(rule=rule, dropped=waiting, abort=running)


def apply_abort(state: LaneState, decided: Abort) -> LaneState:
    """The lane after `decide_abort`: dropped messages are gone, aborted runs are ending."""
    return apply_stopping(apply_dropped(state, decided.dropped, settings=DEFAULT_QUEUE), decided.abort)


# --- parts of the decisions -------------------------------------------------------------------------------------------


def _can_fan_out(state: LaneState, settings: QueueSettings) -> bool:
    compacting = any(run.kind == "compaction" for run in state.running)
    return not compacting and len(state.running) < settings.max_concurrent


def _rule_of_block(state: LaneState, rule: str) -> str:
    return "COMPACT-24" if any(run.kind == "compaction" for run in state.running) else rule


def _decide_interrupt(state: LaneState, reason: DropReason) -> Arrival:
    dropped = build_dropped(state.waiting, reason)
    if not state.running:
        return Arrival(action="start", rule="QUEUE-6" if dropped else "QUEUE-2", dropped=dropped)
    turns = tuple(run.turn_id for run in state.running if run.kind == "turn")
    return Arrival(action="interrupt", rule="QUEUE-6" if turns else "COMPACT-24", abort=turns, dropped=dropped)


def _decide_wait(state: LaneState, message: LaneMessage, *, now: Instant) -> Arrival:
    settings = message.settings
    overflow = len(state.waiting) + 1 - settings.cap
    if overflow > 0 and settings.drop == "new":
        return Arrival(action="refuse", rule="QUEUE-13", reason="queue_full")
    fell = state.waiting[: max(0, overflow)]
    dropped = build_dropped(fell, "queue_cap", leaves_line=settings.drop == "summarize")
    wake_at = Instant(now + settings.debounce_ms)
    run = _find_steerable(state, left=len(state.waiting) - len(dropped))
    if settings.mode in {"steer", "steer-backlog"} and run is not None:
        rule = "QUEUE-3" if settings.mode == "steer" else "QUEUE-7"
        return Arrival(action="steer", rule=rule, steer_into=run.turn_id, dropped=dropped)
    if settings.mode == "collect":
        return Arrival(action="collect", rule="QUEUE-5", dropped=dropped, wake_at=wake_at)
    if settings.mode == "fanout":
        return Arrival(action="wait", rule=_rule_of_block(state, "QUEUE-9"), dropped=dropped)
    rule = _rule_of_block(state, "QUEUE-4" if settings.mode == "followup" else "QUEUE-3")
    return Arrival(action="wait", rule=rule, dropped=dropped, wake_at=wake_at)


def _find_steerable(state: LaneState, *, left: int) -> LaneRun | None:
    """The run that may take a message now; None if there is none, or if the message would overtake a waiting one.

    With several runs under way (fanout) nobody can say which one is meant, so the message waits.
    """
    if len(state.running) != 1:
        return None
    run = state.running[0]
    ahead = state.waiting[len(state.waiting) - left :]
    if run.kind != "turn" or not run.steerable or run.stopping:
        return None
    return run if all(message.steering_into == run.turn_id for message in ahead) else None


def _decide_turn(state: LaneState) -> Next:
    head = state.waiting[0]
    if head.settings.mode != "collect":
        rule = "QUEUE-4" if head.settings.mode == "followup" else "QUEUE-3"
        return _run(state, (head,), rule=rule, separate=state.separate)
    group: list[LaneMessage] = []
    for message in state.waiting:
        if message.settings.mode != "collect":
            break
        group.append(message)
    if state.separate or not are_one_route([message.route for message in group]):
        return _run(state, (head,), rule="QUEUE-5", separate=True)
    return _run(state, tuple(group), rule="QUEUE-5")


def _run(
    state: LaneState,
    messages: tuple[LaneMessage, ...],
    *,
    rule: str,
    fanout: bool = False,
    separate: bool = False,
) -> Next:
    return Next(
        action="run",
        rule=rule,
        ids=tuple(message.id for message in messages),
        fanout=fanout,
        dropped_ids=state.dropped_ids,
        dropped_lines=state.dropped_lines,
        separate=separate,
    )
