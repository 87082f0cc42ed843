"""Who wrote what, and what they were told: messages are repeated until somebody says that they are safe (LOSS-1)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import TypeVar

from instar.core.model.change import Acknowledgement, Submission
from instar.errors import InstarError, StoreError, Unavailable
from instar.testing.simulate.asked import MESSAGE
from instar.testing.simulate.book import Book, Sent
from instar.testing.simulate.findings import Findings
from instar.testing.simulate.lives import Life
from instar.testing.simulate.shadow import Shadow
from instar.testing.simulate.virtual import VirtualClock

__all__ = ["Post", "attempt"]

T = TypeVar("T")

REPEAT_S = 2.0
"""How soon somebody who was told "not now" sends the message again."""


class Post:
    """Carries messages to whichever life of the gateway is up."""

    def __init__(self, book: Book, shadow: Shadow, clock: VirtualClock, findings: Findings) -> None:
        self._book = book
        self._shadow = shadow
        self._clock = clock
        self._findings = findings
        self.up = asyncio.Event()
        self.life: Life | None = None

    async def carry(self, sent: Sent, *, owner: str, late_s: int = 0) -> None:
        """Send until it is acknowledged, then hold the acknowledgement against what was promised."""
        if late_s:
            await self._clock.sleep(late_s)
        while True:
            life = await self.wait_up()
            told = await until_death(life, self._hand_over(sent.submission, life), what=MESSAGE)
            if told is not None:
                break
            await self._clock.sleep(REPEAT_S)
        self._check_told(sent, told, owner)
        sent.told.append(told)

    async def wait_up(self) -> Life:
        """A life that is up. One that dies by itself is still called up until somebody has noticed."""
        while self.life is None or not self.life.is_up:
            await self.up.wait()
            await asyncio.sleep(0)
        return self.life

    async def _hand_over(self, submission: Submission, life: Life) -> Acknowledgement | None:
        """One attempt; None when the gateway says "not now"."""
        try:
            if submission.session_key is not None:
                return await life.gateway.submit(submission)
            context = life.channels[submission.inbound.channel].context
            return None if context is None else await context.accept(submission.inbound)
        except (StoreError, Unavailable):
            return None

    def _check_told(self, sent: Sent, told: Acknowledgement, owner: str) -> None:
        findings, book = self._findings, self._book
        plain = replace(told, repeated=False)
        for earlier in () if sent.is_erased else sent.told:
            if replace(earlier, repeated=False) != plain:
                findings.report("LOSS-1", f"message {sent.number} was told {earlier} and then {told}")
        if told.inbound_id not in self._shadow.rows and not sent.is_erased:
            findings.report("LOSS-1", f"message {sent.number} was acknowledged before it was committed")
        if sent.submission.session_key is None:
            key = book.keys.setdefault(owner, told.session_key)
            if key != told.session_key:
                findings.report("KEY-2", f"{owner} is in {key} and in {told.session_key}")
            other = book.owners.setdefault(told.session_key, owner)
            if other != owner:
                findings.report("LEAK-1", f"{told.session_key} is shared by {other} and {owner}")


async def attempt(post: Post, operation: Callable[[Life], Awaitable[object]], findings: Findings, *, what: str) -> None:
    """An operation of a client, once; what it is refused with is its own affair, a defect is ours."""
    life = await post.wait_up()

    async def run() -> None:
        try:
            await operation(life)
        except InstarError as error:
            if error.code == "invariant":
                findings.report("invariant", f"an operation met a defect: {error}")

    await until_death(life, run(), what=what)


async def until_death(life: Life, work: Coroutine[object, object, T], *, what: str) -> T | None:
    """The result of `work`; None once the life that does it is dead, and its work stands still."""
    task = asyncio.ensure_future(work)
    death = asyncio.ensure_future(life.fuse.blown.wait())
    with life.asked.noted(what):
        await asyncio.wait({task, death}, return_when=asyncio.FIRST_COMPLETED)
    death.cancel()
    return task.result() if task.done() else None
