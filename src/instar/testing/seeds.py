"""Many seeds on all cores, and where to go on the next time.

Which seeds are played when, and what is kept of it. What a seed plays, and what is told of it, is said by whoever runs
them: `instar.testing.simulate` and `instar.testing.leaks`.

Workers play bunches of seeds. What is done is kept in a small file, so that a campaign of days can be stopped at any
time: it goes on with the first seed that no finished bunch has played.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import asdict, dataclass
from itertools import islice
from math import inf
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from instar.errors import InvalidRequest
from instar.system.clock import SystemClock
from instar.system.files import make_private_folder, replace_file

__all__ = ["Bunch", "Limits", "Tally", "load_progress", "play_bunches"]

BUNCH: Final = 20
"""Seeds that a worker takes at once: some seconds of work, so that little is played twice after a stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How far a campaign goes: so many seeds, or so many seconds, whichever comes first; None is no limit."""

    seeds: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bunch:
    """What the seeds from `first` to before `end` have done."""

    first: int
    end: int


BunchT = TypeVar("BunchT", bound=Bunch)


@dataclass(slots=True, kw_only=True)
class Tally(ABC, Generic[BunchT]):
    """What a campaign has done so far; each campaign adds what it counts. Every seed below `next_seed` was played."""

    next_seed: int = 0

    @abstractmethod
    def add(self, bunch: BunchT) -> None:
        """Count what a bunch of seeds has done."""


TallyT = TypeVar("TallyT", bound=Tally[Any])  # Any: a file is read the same way, whatever is counted in it


def play_bunches(
    play: Callable[[int, int], BunchT],
    progress: Tally[BunchT],
    limits: Limits,
    *,
    pool: Executor,
    workers: int,
    path: Path | None,
    is_enough: Callable[[], bool],
) -> Iterator[BunchT]:
    """Play on from `progress` until a limit is reached or `is_enough` says so; each bunch as soon as it has ended.

    What has begun by then is played to its end. Progress is kept in `path`, None for nowhere.
    """
    bunches = _cut(progress.next_seed, limits)
    running: set[Future[BunchT]] = set()
    done: dict[int, BunchT] = {}
    while True:
        free = 0 if is_enough() else workers - len(running)
        running |= {pool.submit(play, *seeds) for seeds in islice(bunches, free)}
        if not running:
            return
        ended, running = wait(running, return_when=FIRST_COMPLETED)
        for bunch in (one.result() for one in ended):
            done[bunch.first] = bunch
            yield bunch
        _count(progress, done)
        if path is not None:
            _save_progress(path, progress)


def load_progress(kind: type[TallyT], path: Path | None) -> TallyT:
    """The progress that a file keeps; a new one where there is no file. Raises `InvalidRequest` for another file."""
    if path is None or not path.exists():
        return kind()
    try:
        return kind(**json.loads(path.read_bytes()))
    except (TypeError, ValueError) as error:
        raise InvalidRequest(
            f"{path} keeps no progress of these seeds",
            why=str(error),
            fix="Name another folder with --state, or remove the file to begin at the beginning.",
            field="state",
        ) from error


def _cut(first: int, limits: Limits) -> Iterator[tuple[int, int]]:
    """Bunches of seeds, from the first to before the second, until a limit is reached."""
    clock = SystemClock()
    end = inf if limits.seeds is None else first + limits.seeds
    until = inf if limits.seconds is None else clock.monotonic() + limits.seconds
    while first < end and clock.monotonic() < until:
        stop = int(min(first + BUNCH, end))
        yield first, stop
        first = stop


def _count(progress: Tally[BunchT], done: dict[int, BunchT]) -> None:
    """Count every bunch up to the first that is still being played."""
    while (bunch := done.pop(progress.next_seed, None)) is not None:
        progress.add(bunch)
        progress.next_seed = bunch.end


def _save_progress(path: Path, progress: Tally[BunchT]) -> None:
    """Keep the progress; whoever is killed meanwhile finds the file as it was."""
    make_private_folder(path.parent)
    replace_file(path, [json.dumps(asdict(progress), indent=2).encode(), b"\n"])
