"""Many scripts on all cores, and where to go on the next time.

Each worker is a process of its own that plays a bunch of seeds. What is done is kept in a small file: a campaign that
was stopped goes on with the first seed that no finished bunch has played.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from itertools import islice
from math import inf
from pathlib import Path
from typing import Final

from instar.errors import InvalidRequest
from instar.system.clock import SystemClock
from instar.system.files import make_private_folder, replace_file
from instar.testing.leaks.play import play

__all__ = ["FILE_NAME", "Progress", "load_progress", "play_scripts", "run_campaign"]

FILE_NAME: Final = "leaks.json"

BUNCH: Final = 20
"""Seeds that a worker takes at once: some seconds of work, so that little is played twice after a stop."""


@dataclass(slots=True, kw_only=True)
class Progress:
    """What was done so far. Every seed below `next_seed` was played; `leaked` are those in which a word leaked."""

    next_seed: int = 1
    scripts: int = 0
    people: int = 0
    messages: int = 0
    requests: int = 0
    leaked: list[int] = field(default_factory=list)

    def tell(self) -> str:
        """One line for people."""
        what = "no word leaked" if not self.leaked else f"words leaked in {len(self.leaked)}: {self.leaked}"
        return (
            f"{self.scripts} scripts, {self.people} people, {self.messages} messages, {self.requests} requests: {what}."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bunch:
    """What a row of seeds has done: counts, and what leaked by seed."""

    first: int
    end: int
    people: int
    messages: int
    requests: int
    findings: dict[int, tuple[str, ...]]


def play_scripts(first: int, end: int) -> Bunch:
    """Play the seeds from `first` to before `end`."""
    outcomes = [play(seed) for seed in range(first, end)]
    return Bunch(
        first=first,
        end=end,
        people=sum(one.people for one in outcomes),
        messages=sum(one.messages for one in outcomes),
        requests=sum(one.requests for one in outcomes),
        findings={one.seed: one.findings for one in outcomes if one.findings},
    )


def run_campaign(
    progress: Progress,
    *,
    workers: int,
    seeds: int | None,
    seconds: float | None,
    tell: Callable[[str], None],
    path: Path | None = None,
) -> bool:
    """Play on from `progress` until so many seeds or seconds are done, or a word leaked; whether none did.

    Progress is kept in `path` after each bunch.
    """
    bunches = _cut(progress.next_seed, seeds=seeds, seconds=seconds)
    running: set[Future[Bunch]] = set()
    done: dict[int, Bunch] = {}
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        while True:
            free = 0 if progress.leaked else workers - len(running)
            running |= {pool.submit(play_scripts, *bunch) for bunch in islice(bunches, free)}
            if not running:
                return not progress.leaked
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for bunch in (one.result() for one in ended):
                done[bunch.first] = bunch
                for seed, findings in bunch.findings.items():
                    progress.leaked.append(seed)
                    for finding in findings:
                        tell(f"seed {seed}: {finding}")
            _note(progress, done)
            if path is not None:
                _save(path, progress)


def _cut(first: int, *, seeds: int | None, seconds: float | None) -> Iterator[tuple[int, int]]:
    """Bunches of seeds, from the first to before the second, until a limit is reached."""
    clock = SystemClock()
    end = inf if seeds is None else first + seeds
    until = inf if seconds is None else clock.monotonic() + seconds
    while first < end and clock.monotonic() < until:
        stop = int(min(first + BUNCH, end))
        yield first, stop
        first = stop


def _note(progress: Progress, done: dict[int, Bunch]) -> None:
    """Count every bunch up to the first that is still being played."""
    while (bunch := done.pop(progress.next_seed, None)) is not None:
        progress.scripts += bunch.end - bunch.first
        progress.people += bunch.people
        progress.messages += bunch.messages
        progress.requests += bunch.requests
        progress.next_seed = bunch.end


def load_progress(path: Path) -> Progress:
    """The progress that a file keeps; a new one where there is no file. Raises `InvalidRequest` for another file."""
    try:
        return Progress(**json.loads(path.read_bytes()))
    except FileNotFoundError:
        return Progress()
    except (TypeError, ValueError) as error:
        raise InvalidRequest(
            f"{path} keeps no progress of these scripts",
            why=str(error),
            fix="Name another folder with --state, or remove the file to begin with seed 1.",
            field="state",
        ) from error


def _save(path: Path, progress: Progress) -> None:
    """Keep the progress; whoever is killed meanwhile finds the file as it was."""
    make_private_folder(path.parent)
    replace_file(path, [json.dumps(asdict(progress), indent=2).encode(), b"\n"])
