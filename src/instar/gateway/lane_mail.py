"""What reaches a lane through its mailbox, and how whoever waits for an answer gets it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from instar.core.model.change import InboxItem
from instar.core.model.ids import TurnId
from instar.core.queue.mode import AbortCause
from instar.errors import Unavailable
from instar.gateway.lane_ports import LaneWork

__all__ = [
    "Abort",
    "Arrived",
    "Compact",
    "Confirmed",
    "Ended",
    "Mail",
    "Perform",
    "Recall",
    "Resume",
    "answer",
    "begin",
    "refuse",
    "stopping",
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Arrived:
    """An accepted message."""

    item: InboxItem


@dataclass(frozen=True, slots=True)
class Resume:
    """The messages of a turn that a crash interrupted."""

    items: tuple[InboxItem, ...]


@dataclass(frozen=True, slots=True)
class Recall:
    """Messages that fell to a full queue before a crash, and of which the agent was not told yet (QUEUE-13)."""

    items: tuple[InboxItem, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """A run has ended."""

    turn_id: TurnId


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What a run took from the lane is committed."""

    turn_id: TurnId


@dataclass(frozen=True, slots=True)
class Abort:
    """Empty the lane, or end the one run."""

    cause: AbortCause
    run_id: TurnId | None
    done: asyncio.Future[tuple[TurnId, ...]]


@dataclass(frozen=True, slots=True)
class Perform:
    """Work that must not run beside a turn. `Any`: each has a result of its own; `Lane.perform` restores its type."""

    operation: Callable[[], Awaitable[Any]]
    cause: AbortCause | None
    done: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class Compact:
    """A compaction that somebody asked for."""

    run: LaneWork


Mail = Arrived | Resume | Recall | Ended | Confirmed | Abort | Perform | Compact


async def answer(done: asyncio.Future[T], work: Awaitable[T]) -> None:
    """Give the result or the error of `work` to whoever waits for it; if the lane is ended meanwhile, say so."""
    try:
        result = await work
    except asyncio.CancelledError:
        _fail(done, stopping())
        raise
    except Exception as error:  # noqa: BLE001 - passed on whole to the task that waits for it
        # The waiting task raises it; the lane itself goes on.
        _fail(done, error)
    else:
        if not done.done():
            done.set_result(result)


async def begin(run: LaneWork, work: Awaitable[None]) -> None:
    """Let `work` begin the run; when it cannot, tell whoever waits for the run."""
    try:
        await work
    except asyncio.CancelledError:
        await run.fail(str(stopping()))
        raise
    except Unavailable as error:
        await run.fail(str(error))


async def refuse(mail: Mail) -> None:
    """Tell whoever waits for an answer to a piece of mail that none will come, since the gateway stops."""
    if isinstance(mail, Abort | Perform):
        _fail(mail.done, stopping())
    elif isinstance(mail, Compact):
        await mail.run.fail(str(stopping()))


def _fail(done: asyncio.Future[T], error: Exception) -> None:
    if not done.done():
        done.set_exception(error)


def stopping() -> Unavailable:
    """What whoever asks a lane is told when the gateway stops."""
    return Unavailable("The gateway is stopping", fix="Try again in a moment.", retry_after_ms=2_000)
