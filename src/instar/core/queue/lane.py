"""One lane as a value: what runs, what waits, and how each event changes it (QUEUE-2).

What belongs here: the state and the transitions that need no decision. The decisions, and a theory of operation, are
in `instar.core.queue.mode`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from instar.core.model.ids import InboundId, Instant, TurnId
from instar.core.model.message import Target
from instar.core.queue.debounce import summarise_line
from instar.core.queue.settings import DEFAULT_QUEUE, QueueSettings

__all__ = [
    "IDLE_LANE",
    "DropReason",
    "Dropped",
    "LaneMessage",
    "LaneRun",
    "LaneState",
    "apply_dropped",
    "apply_ended",
    "apply_left_out",
    "apply_started",
    "apply_steerable",
    "apply_stopping",
    "apply_taken",
    "build_dropped",
    "find_steered",
]

DropReason = Literal["queue_cap", "interrupted", "aborted", "stopped", "reset", "deleted", "internal"]
"""Why a waiting message will not run; its end is `expired` with this reason. `internal` is a defect of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneMessage:
    """A message as its lane sees it. `settings` are those that held when it arrived.

    `line` is its text; it is read only to make the line that stands for it when it is dropped. `is_reset` says that it
    asks for a new session, so that what waits before it ends with the old one (RESET-26). `turn_id` is the turn
    id its caller was told, if any. `steering_into` is the run under way that it was offered to; `taken_by` is a run
    that took it although it also waits for a turn of its own (QUEUE-7).
    """

    id: InboundId
    arrived_at: Instant
    settings: QueueSettings = DEFAULT_QUEUE
    route: Target | None = None
    line: str = ""
    turn_id: TurnId | None = None
    is_command: bool = False
    is_reset: bool = False
    steering_into: TurnId | None = None
    taken_by: TurnId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneRun:
    """Work under way. `steerable` is False while it cannot take messages; `stopping` once it was told to end."""

    turn_id: TurnId
    kind: Literal["turn", "compaction"] = "turn"
    fanout: bool = False
    steerable: bool = True
    stopping: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneState:
    """One lane. `waiting` is in arrival order.

    The messages `dropped_ids` fell to the cap since the last turn began, oldest first, and are still to be told of;
    `dropped_lines` stand for the newest of them (QUEUE-13). `separate` is True while a drain must not collect, because
    it met different routes (QUEUE-5).
    """

    waiting: tuple[LaneMessage, ...] = ()
    running: tuple[LaneRun, ...] = ()
    dropped_lines: tuple[str, ...] = ()
    dropped_ids: tuple[InboundId, ...] = ()
    separate: bool = False


IDLE_LANE: Final = LaneState()
"""Nothing runs, nothing waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A waiting message that will get no turn of its own, and why.

    `merged_into` is the run that has taken it nevertheless (QUEUE-7): it then ends as merged, not as expired.
    `leaves_line` says that the agent is told of it with the next turn (QUEUE-13).
    """

    id: InboundId
    reason: DropReason
    merged_into: TurnId | None = None
    leaves_line: bool = False


def apply_started(state: LaneState, run: LaneRun) -> LaneState:
    """The lane after a run began that took no waiting message: a turn on arrival, or a compaction."""
    return replace(state, running=(*state.running, run))


def apply_steerable(state: LaneState, turn_id: TurnId, *, steerable: bool) -> LaneState:
    """The lane after a run said that it can, or can no longer, take messages."""
    return replace(
        state,
        running=tuple(replace(run, steerable=steerable) if run.turn_id == turn_id else run for run in state.running),
    )


def find_steered(state: LaneState, turn_id: TurnId) -> tuple[LaneMessage, ...]:
    """The messages that the run `turn_id` should take at its next boundary, in arrival order (QUEUE-3)."""
    return tuple(
        message for message in state.waiting if message.steering_into == turn_id and message.taken_by != turn_id
    )


def apply_taken(state: LaneState, ids: Sequence[InboundId]) -> LaneState:
    """The lane after a run took the steered messages `ids` at a boundary (QUEUE-3).

    They leave the lane, except under `steer-backlog`, where they also wait for a turn of their own (QUEUE-7).
    """
    kept = []
    for message in state.waiting:
        if message.id not in ids:
            kept.append(message)
        elif message.settings.mode == "steer-backlog":
            kept.append(replace(message, taken_by=message.steering_into))
    return replace(state, waiting=tuple(kept))


def apply_ended(state: LaneState, turn_id: TurnId) -> LaneState:
    """The lane after a run ended, for whatever reason. What it was offered and did not take waits (QUEUE-3)."""
    return replace(
        state,
        running=tuple(run for run in state.running if run.turn_id != turn_id),
        waiting=tuple(
            replace(message, steering_into=None) if message.steering_into == turn_id else message
            for message in state.waiting
        ),
    )


def apply_dropped(state: LaneState, dropped: tuple[Dropped, ...], *, settings: QueueSettings) -> LaneState:
    """The lane without `dropped`. Those that fell to the cap under `summarize` leave a line each, at most `cap` lines
    in all (QUEUE-13). When nothing is left that could carry the lines to the agent, they go too.
    """
    if not dropped:
        return state
    gone = {item.id for item in dropped}
    told = {item.id for item in dropped if item.leaves_line}
    left_out = [message for message in state.waiting if message.id in told]
    waiting = tuple(message for message in state.waiting if message.id not in gone)
    if not waiting and not left_out:
        return replace(state, waiting=(), dropped_lines=(), dropped_ids=(), separate=False)
    return apply_left_out(replace(state, waiting=waiting), left_out, cap=settings.cap)


def apply_left_out(state: LaneState, messages: Sequence[LaneMessage], *, cap: int) -> LaneState:
    """The lane that has to tell of these messages too: a line each, at most `cap` lines in all (QUEUE-13).

    After a start these are the messages of which the last gateway had not told yet.
    """
    if not messages:
        return state
    return replace(
        state,
        dropped_ids=(*state.dropped_ids, *(message.id for message in messages)),
        dropped_lines=(*state.dropped_lines, *(summarise_line(message.line) for message in messages))[-cap:],
    )


def build_dropped(
    messages: Sequence[LaneMessage], reason: DropReason, *, leaves_line: bool = False
) -> tuple[Dropped, ...]:
    """`messages` as given up for `reason`, in their order. One that a run has taken leaves no line: it was read."""
    return tuple(
        Dropped(
            id=message.id,
            reason=reason,
            merged_into=message.taken_by,
            leaves_line=leaves_line and message.taken_by is None,
        )
        for message in messages
    )


def apply_stopping(state: LaneState, turn_ids: tuple[TurnId, ...]) -> LaneState:
    """The lane after these runs were told to end; until they have ended they still count as running."""
    return replace(
        state,
        running=tuple(replace(run, stopping=True) if run.turn_id in turn_ids else run for run in state.running),
    )
