"""A campaign: start, let them talk, kill, harm, check, again and again; then let everything end, and judge."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from instar.system.clock import SystemClock
from instar.testing.crash.harm import SmallDisk, harm_mirror
from instar.testing.crash.ledger import Ledger
from instar.testing.crash.model import token_script
from instar.testing.crash.process import (
    BRIDGES,
    GatewayUnderFire,
    ask_doctor,
    build_config,
    find_port,
    run_beside,
)
from instar.testing.crash.receivers import Receiver
from instar.testing.crash.report import CrashReport
from instar.testing.crash.senders import build_senders
from instar.testing.crash.verdict import check_copy, copy_files, count_open, judge, read_words
from instar.testing.model_server import ModelServer
from instar.testing.simulate.dice import Dice

__all__ = ["HARMS", "CrashPlan", "run_campaign"]

HARMS: Final = ("mirror", "slow", "full", "read-only")
"""What may be done beside the kills. The last two need a file system of their own, and with it root."""

_SMALL_DISK_MIB: Final = 512
_STARTING_PERCENT: Final = 20
"""Kills that come while the gateway still starts and recovers."""

_STARTING_MS: Final = 1200
_FULL_EVERY: Final = 3
_READ_ONLY_EVERY: Final = 7
"""Of so many lives, one sees the disk full, and one is followed by a start on a read-only disk."""

_SYNC_DELAY_MS: Final = 25
_END_S: Final = 180.0
"""How long everything that was accepted may take to end, once nobody writes and nothing is killed any more."""

_FAILED_STARTS_MAX: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashPlan:
    """What a campaign does. `life_ms` is the longest life of a process that was ready in a second; one that took more,
    on a busy machine, lives as much longer. `pace_ms` rests a sender.
    """

    folder: Path
    kills: int
    senders: int = 32
    seed: int = 1
    harms: frozenset[str] = frozenset({"mirror", "slow"})
    life_ms: int = 2500
    pace_ms: int = 600


async def run_campaign(plan: CrashPlan, *, tell: Callable[[str], None]) -> CrashReport:
    """Carry a plan out; the report names every breach. Raises `InvalidRequest` where a disk cannot be mounted."""
    with _disk(plan) as disk, ModelServer(token_script) as model:
        place = disk.path if disk is not None else plan.folder
        gateway = GatewayUnderFire(place, build_config(model_url=model.openai_url), port=find_port())
        campaign = _Campaign(plan, gateway, disk, tell)
        try:
            await campaign.run()
        finally:
            await gateway.kill()
    return campaign.report


@contextmanager
def _disk(plan: CrashPlan) -> Iterator[SmallDisk | None]:
    plan.folder.mkdir(parents=True, exist_ok=True)
    if not plan.harms & {"full", "read-only"}:
        yield None
        return
    disk = SmallDisk(plan.folder / "disk", mib=_SMALL_DISK_MIB)
    try:
        yield disk
    finally:
        disk.close()


class _Campaign:
    """One campaign while it runs."""

    def __init__(
        self, plan: CrashPlan, gateway: GatewayUnderFire, disk: SmallDisk | None, tell: Callable[[str], None]
    ) -> None:
        self._plan = plan
        self._gateway = gateway
        self._disk = disk
        self._tell = tell
        self._dice = Dice(plan.seed)
        self._clock = SystemClock()
        self._ledger = Ledger()
        self._failed_starts = 0
        self.report = CrashReport(seed=plan.seed, senders=plan.senders)

    async def run(self) -> None:
        """All lives, then the end."""
        began = self._clock.monotonic()
        stop = asyncio.Event()
        async with self._people(stop) as talking:
            for number in range(1, self._plan.kills + 1):
                await self._live(number)
                if self._failed_starts > _FAILED_STARTS_MAX:
                    self.report.findings.append("the gateway does not start any more")
                    return
            await self._come_to_an_end(talking, stop)
        await self._judge()
        self.report.seconds = round(self._clock.monotonic() - began)

    @asynccontextmanager
    async def _people(self, stop: asyncio.Event) -> AsyncIterator[asyncio.Task[None]]:
        """Senders and receivers at work inside the block; the task ends when every sender has stopped."""
        plan, port = self._plan, self._gateway.port
        senders = build_senders(plan.senders, self._ledger, seed=plan.seed, port=port, pace_ms=plan.pace_ms)
        async with asyncio.TaskGroup() as group:
            talking = group.create_task(_all(sender.run(stop) for sender in senders))
            hearing = [
                group.create_task(Receiver(name, self._ledger, Dice(plan.seed + at), port=port).run())
                for at, name in enumerate(BRIDGES)
            ]
            try:
                yield talking
            finally:
                for task in (talking, *hearing):
                    task.cancel()

    # --- one life -----------------------------------------------------------------------------------------------------

    async def _live(self, number: int) -> None:
        """One process from its start to its kill, and what is found in its files afterwards."""
        harms = self._harm_before()
        slow = "slow" in self._plan.harms and self._dice.chance(15)
        if slow:
            harms.append("slow disk")
        began = self._clock.monotonic()
        await self._gateway.launch(sync_delay_ms=_SYNC_DELAY_MS if slow else 0)
        if self._dice.chance(_STARTING_PERCENT):
            await asyncio.sleep(self._dice.below(_STARTING_MS) / 1000)
            self.report.kills_while_starting += 1
        elif await self._gateway.wait_ready():
            self.report.starts += 1
            start_s = self._clock.monotonic() - began
            self.report.slowest_start_s = max(self.report.slowest_start_s, start_s)
            await self._live_on(number, harms, pace=max(1.0, start_s))
        else:
            self._failed_starts += 1
            self.report.findings.append(f"start {number} ended by itself: {self._gateway.errors[-500:]}")
        await self._gateway.kill()
        self.report.kills += 1
        await self._look_after_kill(number)
        await self._harm_after(number, harms)
        self.report.harms.update(harms)
        if number % 10 == 0 or self._plan.kills < 10:
            told, heard = len(self._ledger.told), len(self._ledger.heard)
            self._tell(
                f"{number} kills: {told} messages acknowledged, {heard} answered, {self.report.breaches} breaches"
            )

    async def _live_on(self, number: int, harms: list[str], *, pace: float) -> None:
        """Let them talk for a while, for a part of it on a full disk."""
        await asyncio.sleep((50 + self._dice.below(self._plan.life_ms)) / 1000 * pace)
        if self._disk is not None and "full" in self._plan.harms and number % _FULL_EVERY == 1:
            self._disk.fill()
            harms.append("full disk")
            await asyncio.sleep(self._dice.below(self._plan.life_ms) / 1000 * pace)

    def _harm_before(self) -> list[str]:
        if "mirror" not in self._plan.harms or not self._dice.chance(30):
            return []
        return [f"mirror {name}" for name in harm_mirror(self._gateway.state_dir, self._dice)]

    async def _look_after_kill(self, number: int) -> None:
        """Check a copy: the files themselves stay as the kill left them."""
        if not self._gateway.database.is_file():
            return
        told = list(self._ledger.told)
        copy = await asyncio.to_thread(copy_files, self._gateway.database, self._plan.folder / "copy")
        found = await asyncio.to_thread(check_copy, copy, told)
        self.report.checks += 1
        self.report.findings += [f"after kill {number}: {what}" for what in found]

    async def _harm_after(self, number: int, harms: list[str]) -> None:
        """Try to start where no gateway can work, then give the disk back."""
        if self._disk is None:
            return
        if "full disk" in harms and self._dice.chance(50):
            await self._gateway.launch()
            if not await self._gateway.wait_ready():
                self._expect_sentence("on a full disk")
            await self._gateway.kill()
            harms.append("start on the full disk")
        self._disk.free()
        if "read-only" in self._plan.harms and number % _READ_ONLY_EVERY == 2:
            self._disk.set_read_only(is_read_only=True)
            await self._start_read_only()
            self._disk.set_read_only(is_read_only=False)
            harms.append("start on a read-only disk")

    async def _start_read_only(self) -> None:
        """A start that must be refused in words; they are read from a pipe, since no file takes them."""
        done = await run_beside(self._gateway, "gateway", "--port", "0")
        if done.code != 1 or "read-only" not in done.errors or "Traceback" in done.errors:
            self.report.findings.append(f"a start on a read-only disk ended with {done.code}: {done.errors[-500:]}")

    def _expect_sentence(self, where: str) -> None:
        last = self._gateway.errors.splitlines()[-1:]
        if not last or not last[0].startswith("instar: "):
            self.report.findings.append(f"a start {where} ended without saying why: {last}")

    # --- the end ------------------------------------------------------------------------------------------------------

    async def _come_to_an_end(self, talking: asyncio.Task[None], stop: asyncio.Event) -> None:
        """Nobody writes any more; what was accepted is answered, sent and confirmed; the gateway is told to stop."""
        stop.set()
        await self._gateway.launch()
        if not await self._gateway.wait_ready():
            self.report.findings.append(f"the last start ended by itself: {self._gateway.errors[-500:]}")
            return
        deadline = self._clock.monotonic() + _END_S
        while not talking.done() or await asyncio.to_thread(count_open, self._gateway.database) > 0:
            if self._clock.monotonic() > deadline:
                count = await asyncio.to_thread(count_open, self._gateway.database)
                self.report.findings.append(f"{count} messages and replies did not end within {_END_S:g} s")
                break
            await asyncio.sleep(0.3)
        code = await self._gateway.stop()
        if code != 0:
            self.report.findings.append(f"told to stop, the gateway ended with {code}")

    async def _judge(self) -> None:
        report, ledger = self.report, self._ledger
        copy = await asyncio.to_thread(copy_files, self._gateway.database, self._plan.folder / "copy")
        report.findings += await asyncio.to_thread(check_copy, copy, list(ledger.told))
        words = await asyncio.to_thread(read_words, copy)
        report.findings += judge(words, ledger)
        report.take(words, ledger)
        log = self._gateway.state_dir / "logs" / "gateway.log"
        said = self._gateway.errors + (log.read_text(encoding="utf-8", errors="replace") if log.is_file() else "")
        report.findings += [f"a traceback: …{part[:400]}" for part in said.split("Traceback")[1:6]]
        report.findings += await ask_doctor(self._gateway)


async def _all(runs: Iterable[Coroutine[object, object, None]]) -> None:
    async with asyncio.TaskGroup() as group:
        for run in runs:
            group.create_task(run)
