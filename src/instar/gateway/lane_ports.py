"""What a lane asks of the gateway around it, what it runs, and what others may ask of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from instar.core.model.change import InboxItem, SessionChange
from instar.core.model.ids import InboundId, SessionKey, TurnId
from instar.core.model.message import Target
from instar.core.queue.lane import Dropped, LaneMessage
from instar.core.queue.mode import Next
from instar.ports.clock import Clock

__all__ = ["LaneHost", "LaneWork", "SteeredMail"]


class LaneWork(Protocol):
    """What runs in a lane: a turn, or a compaction that somebody asked for."""

    @property
    def key(self) -> SessionKey:
        """The session."""
        ...

    @property
    def turn_id(self) -> TurnId:
        """The id of the run."""
        ...

    @property
    def items(self) -> Sequence[InboxItem]:
        """The messages it answers that have not ended yet; none for work that nobody's message began."""
        ...

    def takes(self, route: Target | None) -> bool:
        """Whether a message that came by `route` (None: by no channel) may be put into it now (QUEUE-3)."""
        ...

    def owns(self, run_id: TurnId) -> bool:
        """Whether the caller of one of its messages was told this id for it."""
        ...

    def stop(self, cause: str) -> None:
        """End it at once; what was said so far is kept."""
        ...

    async def run(self, *, resume: bool) -> None:
        """Do it, or with `resume` go on with what a crash interrupted."""
        ...

    async def fail(self, sentence: str) -> None:
        """End it after a defect of ours, so that its sender is told."""
        ...


class SteeredMail(Protocol):
    """What a turn asks of its lane at a boundary (QUEUE-3)."""

    def has_steered(self, turn_id: TurnId) -> bool:
        """Whether a message waits to be put into this turn."""
        ...

    def take_steered(self, turn_id: TurnId) -> tuple[tuple[InboxItem, ...], frozenset[InboundId]]:
        """Those messages in arrival order, taken out of the lane at once, and which of them also keep waiting for a
        turn of their own (QUEUE-7).
        """
        ...

    def confirm_begun(self, turn_id: TurnId) -> None:
        """Say that the turn has begun, so that others may begin beside it (QUEUE-9)."""
        ...

    def confirm_steered(self, turn_id: TurnId) -> None:
        """Say that what the turn took is committed, so that what became of those messages since may be written."""
        ...


class LaneHost(Protocol):
    """What a lane asks of the gateway around it."""

    @property
    def clock(self) -> Clock:
        """Time."""
        ...

    def slots(self, key: SessionKey) -> asyncio.Semaphore:
        """The places that the runs of a session share with others (QUEUE-2)."""
        ...

    async def build_lane_message(self, item: InboxItem, *, busy: bool) -> LaneMessage:
        """The message as the queue sees it; `busy` says whether its settings will matter. Raises `StoreError`."""
        ...

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
        """A turn for these messages, not yet begun; `alone` is False while another one of the session runs, `fanout`
        says that others may begin beside it.
        """
        ...

    async def is_held(self, items: Sequence[InboxItem]) -> bool:
        """Whether the turn of these messages, which a crash interrupted, went on beside others (QUEUE-9)."""
        ...

    async def close_cut_calls(self, key: SessionKey) -> None:
        """Give every tool call that was running when the last gateway ended a result that says so. Raises `StoreError`;
        then it may be called again.
        """
        ...

    async def run_command(self, item: InboxItem) -> Callable[[], Awaitable[None]]:
        """Do a chat command that needs no model; what is returned writes its end down. Raises `StoreError`."""
        ...

    async def end_messages(self, key: SessionKey, items: Sequence[InboxItem], dropped: Sequence[Dropped]) -> None:
        """End messages that will not run, and tell their senders once. Raises `StoreError`."""
        ...

    async def record(self, name: str, key: SessionKey, change: SessionChange) -> None:
        """Write a change that belongs to no turn. Raises `StoreError`."""
        ...

    async def fail_work(self, work: LaneWork) -> None:
        """End a run after a defect of ours, so that its sender is told; raises nothing."""
        ...

    def retire(self, key: SessionKey) -> None:
        """Forget an idle lane."""
        ...
