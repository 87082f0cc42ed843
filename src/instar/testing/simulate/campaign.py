"""Many stories, one after the other, on all cores; and where to go on the next time.

Each worker is a process of its own that plays a bunch of seeds. What is done is kept in a small file, so that a
campaign of days can be stopped at any time: it goes on with the first seed that no finished bunch has played.
"""

from __future__ import annotations

import json
import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from math import inf
from pathlib import Path
from typing import Final

from instar.errors import InvalidRequest
from instar.system.clock import SystemClock
from instar.system.files import make_private_folder, replace_file
from instar.testing.simulate.draw import draw_story
from instar.testing.simulate.findings import Broken
from instar.testing.simulate.shrink import shrink_story
from instar.testing.simulate.story import Story
from instar.testing.simulate.tell import tell_broken, tell_story
from instar.testing.simulate.workers import follow_parent, play_and_look_up

__all__ = ["COMMAND", "Campaign", "Limits", "Progress", "explain_seed", "play_seeds", "run_campaign"]

COMMAND: Final = "python -m instar.testing.simulate --seed {seed}"
"""What plays one story again and tells it."""

BUNCH: Final = 25
"""Seeds that a worker takes at once: some seconds of work, so that little is played twice after a stop."""

TELL_MAX: Final = 3
"""Failed seeds of a campaign that are shortened and told; the others are only named."""

FAILED_MAX: Final = 20
"""A campaign ends after so many failed seeds: whoever mends the first few mends most of the others."""

FILE_NAME: Final = "campaign.json"


@dataclass(slots=True, kw_only=True)
class Progress:
    """What a campaign has done so far. Every seed below `next_seed` was played; `failed` are those that broke."""

    next_seed: int = 0
    stories: int = 0
    messages: int = 0
    turns: int = 0
    crashes: int = 0
    failed: list[int] = field(default_factory=list)

    def add(self, bunch: Bunch) -> None:
        """Count what a bunch of seeds has done."""
        self.stories += bunch.counts["stories"]
        self.messages += bunch.counts["messages"]
        self.turns += bunch.counts["turns"]
        self.crashes += bunch.counts["crashes"]
        self.failed += sorted(bunch.broken)

    def tell(self) -> str:
        """One line for people."""
        return (
            f"{self.stories:,} stories: {self.messages:,} messages, {self.turns:,} turns, {self.crashes:,} crashes; "
            f"{len(self.failed)} broke a promise; next seed {self.next_seed}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bunch:
    """What a row of seeds has done: counts, and the first broken promise of each seed that broke one."""

    first: int
    end: int
    counts: Mapping[str, int]
    broken: Mapping[int, Broken]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How far a campaign goes: so many seeds, or so many seconds, whichever comes first; None is no limit."""

    seeds: int | None = None
    seconds: float | None = None


def play_seeds(first: int, end: int) -> Bunch:
    """Play the seeds from `first` to before `end`."""
    counts: Counter[str] = Counter()
    broken: dict[int, Broken] = {}
    for seed in range(first, end):
        played = play_and_look_up(draw_story(seed))
        counts.update(stories=1, messages=played.messages, turns=played.turns, crashes=played.crashes)
        if played.broken:
            broken[seed] = played.broken[0]
    return Bunch(first=first, end=end, counts=dict(counts), broken=broken)


def explain_seed(seed: int) -> str:
    """A failed seed as a person needs it: the shortest story that breaks the same promise, and how to see it again."""
    story = draw_story(seed)
    played = play_and_look_up(story)
    if not played.broken:
        return f"Seed {seed} breaks nothing."
    rule = played.broken[0].rule

    def breaks(shorter: Story) -> bool:
        found = play_and_look_up(shorter).broken
        return bool(found) and found[0].rule == rule

    short = shrink_story(story, breaks)
    found = play_and_look_up(short).broken
    return "\n".join(
        [
            f"Seed {seed} breaks {rule}. Made as short as it can be ({len(short.steps)} of {len(story.steps)} steps):",
            tell_story(short),
            *(tell_broken(one) for one in found),
            f"See it again: {COMMAND.format(seed=seed)}",
        ]
    )


class Campaign:
    """Plays seeds on `workers` processes. `state_dir` keeps its progress.

    It begins with `first`; without that where the progress ends, or with 0.
    """

    def __init__(self, *, workers: int, state_dir: Path | None = None, first: int | None = None) -> None:
        self._workers = workers
        self._path = state_dir / FILE_NAME if state_dir is not None else None
        self.progress = Progress() if self._path is None else load_progress(self._path)
        if first is not None:
            self.progress.next_seed = first

    def run(self, limits: Limits, *, tell: Callable[[str], None]) -> int:
        """Play until a limit is reached; how many seeds broke a promise. What broke is told as it is found."""
        bunches = self._cut(limits)
        running: set[Future[Bunch]] = set()
        done: dict[int, Bunch] = {}
        failed = 0
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(self._workers, mp_context=context, initializer=follow_parent) as pool:
            while True:
                free = self._workers - len(running) if failed < FAILED_MAX else 0
                running |= {pool.submit(play_seeds, *seeds) for seeds in islice(bunches, free)}
                if not running:
                    return failed
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                for bunch in (one.result() for one in ended):
                    done[bunch.first] = bunch
                    for seed, broken in bunch.broken.items():
                        failed += 1
                        tell(pool.submit(explain_seed, seed).result() if failed <= TELL_MAX else _name(seed, broken))
                self._note(done)

    def _cut(self, limits: Limits) -> Iterator[tuple[int, int]]:
        """Bunches of seeds, from the first to before the second, until a limit is reached."""
        clock = SystemClock()
        first = self.progress.next_seed
        end = inf if limits.seeds is None else first + limits.seeds
        until = inf if limits.seconds is None else clock.monotonic() + limits.seconds
        while first < end and clock.monotonic() < until:
            stop = int(min(first + BUNCH, end))
            yield first, stop
            first = stop

    def _note(self, done: dict[int, Bunch]) -> None:
        """Count every bunch up to the first that is still being played, and keep it."""
        while (bunch := done.pop(self.progress.next_seed, None)) is not None:
            self.progress.add(bunch)
            self.progress.next_seed = bunch.end
        if self._path is not None:
            save_progress(self._path, self.progress)


def run_campaign(campaign: Campaign, limits: Limits, *, tell: Callable[[str], None]) -> bool:
    """Run a campaign and tell its sum; whether all was well."""
    failed = campaign.run(limits, tell=tell)
    tell(campaign.progress.tell())
    return not failed


def _name(seed: int, broken: Broken) -> str:
    return f"Seed {seed} breaks {broken.rule}. See it: {COMMAND.format(seed=seed)}"


def load_progress(path: Path) -> Progress:
    """The progress that a file keeps; a new one where there is no file. Raises `InvalidRequest` for another file."""
    try:
        return Progress(**json.loads(path.read_bytes()))
    except FileNotFoundError:
        return Progress()
    except (TypeError, ValueError) as error:
        raise InvalidRequest(
            f"{path} keeps no progress of a campaign",
            why=str(error),
            fix="Name another folder with --state, or remove the file to begin with seed 0.",
            field="state",
        ) from error


def save_progress(path: Path, progress: Progress) -> None:
    """Keep the progress; whoever is killed meanwhile finds the file as it was."""
    make_private_folder(path.parent)
    fields = {name: getattr(progress, name) for name in Progress.__slots__}
    replace_file(path, [json.dumps(fields, indent=2).encode(), b"\n"])
