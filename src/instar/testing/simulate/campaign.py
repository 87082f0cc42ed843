"""A campaign: many stories, one after the other, on all cores. What breaks a promise is shortened and told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from instar.testing.seeds import Bunch, Limits, Tally, load_progress, play_bunches
from instar.testing.simulate.draw import draw_story
from instar.testing.simulate.findings import Broken
from instar.testing.simulate.play import Played, play_story
from instar.testing.simulate.shrink import shrink_story
from instar.testing.simulate.story import Story
from instar.testing.simulate.tell import tell_broken, tell_story
from instar.testing.workers import open_workers, playing

__all__ = ["COMMAND", "Campaign", "Progress", "explain_seed", "play_seeds", "run_campaign"]

COMMAND: Final = "python -m instar.testing.simulate --seed {seed}"
"""What plays one story again and tells it."""

TELL_MAX: Final = 3
"""Failed seeds of a campaign that are shortened and told; the others are only named."""

FAILED_MAX: Final = 20
"""A campaign ends after so many failed seeds: whoever mends the first few mends most of the others."""

FILE_NAME: Final = "campaign.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stories(Bunch):
    """What a bunch of seeds has done: counts, and the first broken promise of each seed that broke one."""

    counts: Mapping[str, int]
    broken: Mapping[int, Broken]


@dataclass(slots=True, kw_only=True)
class Progress(Tally[Stories]):
    """What a campaign has done so far; `failed` are the seeds that broke a promise."""

    stories: int = 0
    messages: int = 0
    turns: int = 0
    crashes: int = 0
    failed: list[int] = field(default_factory=list)

    def add(self, bunch: Stories) -> None:
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


def play_seeds(first: int, end: int) -> Stories:
    """Play the seeds from `first` to before `end`."""
    counts: Counter[str] = Counter()
    broken: dict[int, Broken] = {}
    for seed in range(first, end):
        played = _play(draw_story(seed))
        counts.update(stories=1, messages=played.messages, turns=played.turns, crashes=played.crashes)
        if played.broken:
            broken[seed] = played.broken[0]
    return Stories(first=first, end=end, counts=dict(counts), broken=broken)


def explain_seed(seed: int) -> str:
    """A failed seed as a person needs it: the shortest story that breaks the same promise, and how to see it again."""
    story = draw_story(seed)
    played = _play(story)
    if not played.broken:
        return f"Seed {seed} breaks nothing."
    rule = played.broken[0].rule

    def breaks(shorter: Story) -> bool:
        found = _play(shorter).broken
        return bool(found) and found[0].rule == rule

    short = shrink_story(story, breaks)
    found = _play(short).broken
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
        self.progress = load_progress(Progress, self._path)
        if first is not None:
            self.progress.next_seed = first

    def run(self, limits: Limits, *, tell: Callable[[str], None]) -> int:
        """Play until a limit is reached; how many seeds broke a promise. What broke is told as it is found."""
        failed: list[int] = []
        with open_workers(self._workers) as pool:
            for bunch in play_bunches(
                play_seeds,
                self.progress,
                limits,
                pool=pool,
                workers=self._workers,
                path=self._path,
                is_enough=lambda: len(failed) >= FAILED_MAX,
            ):
                for seed, broken in bunch.broken.items():
                    failed.append(seed)
                    tell(pool.submit(explain_seed, seed).result() if len(failed) <= TELL_MAX else _name(seed, broken))
        return len(failed)


def run_campaign(campaign: Campaign, limits: Limits, *, tell: Callable[[str], None]) -> bool:
    """Run a campaign and tell its sum; whether all was well."""
    failed = campaign.run(limits, tell=tell)
    tell(campaign.progress.tell())
    return not failed


def _name(seed: int, broken: Broken) -> str:
    return f"Seed {seed} breaks {broken.rule}. See it: {COMMAND.format(seed=seed)}"


def _play(story: Story) -> Played:
    with playing():
        return play_story(story)
