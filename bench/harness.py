"""What all tables share: samples, rows with an aim, and measuring several ways in turns.

A noisy moment of the machine must hit all ways alike, so the ways of a row always take turns. A row tells medians with
the middle half of the values; aims are told as met or missed, and nothing is asserted.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Literal

import uvloop

__all__ = [
    "Aim",
    "Options",
    "Pieces",
    "Row",
    "Sample",
    "Table",
    "at_most",
    "await_in_turns",
    "child_environment",
    "collect",
    "flat_aim",
    "measure_table",
    "rated",
    "run_in_turns",
    "time_each",
    "timed",
]

Unit = Literal["ms", "us", "/s", "MB", "tokens"]
"""Milliseconds, microseconds, times a second, megabytes, tokens."""

_PER_SECOND: Mapping[str, float] = {"ms": 1_000.0, "us": 1_000_000.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to measure. `folder` takes stores and states, on the disk that is measured; `data` is real input, or None.

    `quick` measures a tenth as long: good enough to see that a table runs.
    """

    folder: Path
    quick: bool = False
    data: Path | None = None

    def times(self, full: int, *, least: int = 3) -> int:
        """How often something is repeated."""
        return max(least, full // 10) if self.quick else full


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Measured values in one unit."""

    values: tuple[float, ...]
    unit: Unit

    @property
    def median(self) -> float:
        """The value in the middle."""
        return statistics.median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        """The middle half of the values: the first and the third quartile."""
        if len(self.values) < 2:
            return self.median, self.median
        low, _, high = statistics.quantiles(self.values, n=4)
        return low, high


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What a row should reach: a bound on the ratio to the other side, or on the median itself.

    `text` is how the page tells it.
    """

    text: str
    ratio_max: float | None = None
    ratio_min: float | None = None
    most: float | None = None
    least: float | None = None

    def is_met(self, *, ours: float, ratio: float | None) -> bool:
        """Whether these figures reach it. A bound on a ratio that is not known is not reached."""
        checks = [
            (self.ratio_max, ratio, False),
            (self.ratio_min, ratio, True),
            (self.most, ours, False),
            (self.least, ours, True),
        ]
        bounds = [(bound, value, is_least) for bound, value, is_least in checks if bound is not None]
        return all(
            value is not None and (value >= bound if is_least else value <= bound) for bound, value, is_least in bounds
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table. `ratio` is ours by theirs. `skipped` says why nothing was measured."""

    name: str
    ours: Sample | None = None
    against: str = ""
    theirs: Sample | None = None
    aim: Aim | None = None
    note: str = ""
    skipped: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours by theirs; None without another side.

        Values that were taken in turns are compared turn by turn: a slow moment of the disk then counts on both sides.
        """
        if self.ours is None or self.theirs is None:
            return None
        pairs = list(zip(self.ours.values, self.theirs.values, strict=False))
        if len(self.ours.values) == len(self.theirs.values):
            return statistics.median(ours / theirs for ours, theirs in pairs)
        return self.ours.median / self.theirs.median

    @property
    def verdict(self) -> str:
        """``met``, ``missed``, or empty without an aim."""
        if self.aim is None or self.ours is None:
            return ""
        return "met" if self.aim.is_met(ours=self.ours.median, ratio=self.ratio) else "missed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The rows of one module, with a sentence on how they were measured."""

    title: str
    text: str
    rows: tuple[Row, ...] = field(default=())


def timed(values: Sequence[float], unit: Literal["ms", "us"] = "ms") -> Sample:
    """A sample of durations that were taken in seconds."""
    return Sample(values=tuple(value * _PER_SECOND[unit] for value in values), unit=unit)


def rated(values: Sequence[float]) -> Sample:
    """A sample of rates, from the seconds that one piece of work took."""
    return Sample(values=tuple(1 / value for value in values), unit="/s")


def at_most(ratio: float) -> Aim:
    """Ours takes at most so many times as long as theirs."""
    return Aim(text=f"≤ {ratio:g}×", ratio_max=ratio)


def flat_aim() -> Aim:
    """Large takes as long as small, give or take a tenth; that it takes less is no miss."""
    return Aim(text="flat: ≤ 1.1×", ratio_max=1.1)


def run_in_turns(
    ways: Mapping[str, Callable[[int], object]], rounds: int, *, warm_up: int = 10
) -> dict[str, list[float]]:
    """The seconds that each way took in each round; a way gets the number of its round."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(warm_up + rounds):
        for name, way in ways.items():
            started = time.perf_counter()
            way(number)
            if number >= warm_up:
                taken[name].append(time.perf_counter() - started)
    return taken


async def await_in_turns(
    ways: Mapping[str, Callable[[int], Awaitable[object]]], rounds: int, *, warm_up: int = 10
) -> dict[str, list[float]]:
    """As `run_in_turns`, for ways that are awaited."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(warm_up + rounds):
        for name, way in ways.items():
            started = time.perf_counter()
            await way(number)
            if number >= warm_up:
                taken[name].append(time.perf_counter() - started)
    return taken


async def time_each(work: Callable[[], Awaitable[object]], count: int) -> list[float]:
    """The seconds that each of so many pieces of work took, one after the other."""
    taken = []
    for _ in range(count):
        started = time.perf_counter()
        await work()
        taken.append(time.perf_counter() - started)
    return taken


Pieces = Callable[[], Awaitable[Sequence[float]]]
"""One round of one side: the seconds of each of its pieces of work."""


async def collect(ours: Pieces, theirs: Pieces, *, rounds: int) -> tuple[list[float], list[float]]:
    """The median piece of each round of both sides, which take turns; the first round only warms up."""
    found: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):
        for values, pieces in zip(found, (ours, theirs), strict=True):
            taken = statistics.median(await pieces())
            if number:
                values.append(taken)
    return found


def measure_table(name: str, options: Options) -> Table:
    """The table of ``bench/<name>.py``, measured in this process on the loop that a gateway runs on."""
    return uvloop.run(import_module(f"bench.{name}").measure(options))


def child_environment(folder: Path) -> dict[str, str]:
    """The environment of a measured process: compiled modules are kept as they are where people install it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("INSTAR_", "PYTHON"))}
    return {**kept, "PYTHONPYCACHEPREFIX": str(folder / "compiled"), "HOME": str(folder)}
