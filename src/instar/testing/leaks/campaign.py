"""A campaign: many scripts on all cores, until a word leaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from instar.testing.leaks.play import Outcome, play
from instar.testing.seeds import Bunch, Limits, Tally, play_bunches
from instar.testing.workers import open_workers, playing

__all__ = ["FILE_NAME", "Progress", "play_scripts", "run_campaign"]

FILE_NAME: Final = "leaks.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripts(Bunch):
    """What a bunch of seeds has done: counts, and what leaked by seed."""

    people: int
    messages: int
    requests: int
    findings: dict[int, tuple[str, ...]]


@dataclass(slots=True, kw_only=True)
class Progress(Tally[Scripts]):
    """What was done so far; `leaked` are the seeds in which a word leaked."""

    next_seed: int = 1
    scripts: int = 0
    people: int = 0
    messages: int = 0
    requests: int = 0
    leaked: list[int] = field(default_factory=list)

    def add(self, bunch: Scripts) -> None:
        """Count what a bunch of seeds has done."""
        self.scripts += bunch.end - bunch.first
        self.people += bunch.people
        self.messages += bunch.messages
        self.requests += bunch.requests
        self.leaked += bunch.findings

    def tell(self) -> str:
        """One line for people."""
        what = "no word leaked" if not self.leaked else f"words leaked in {len(self.leaked)}: {self.leaked}"
        return (
            f"{self.scripts} scripts, {self.people} people, {self.messages} messages, {self.requests} requests: {what}."
        )


def play_scripts(first: int, end: int) -> Scripts:
    """Play the seeds from `first` to before `end`."""
    outcomes = [_play(seed) for seed in range(first, end)]
    return Scripts(
        first=first,
        end=end,
        people=sum(one.people for one in outcomes),
        messages=sum(one.messages for one in outcomes),
        requests=sum(one.requests for one in outcomes),
        findings={one.seed: one.findings for one in outcomes if one.findings},
    )


def run_campaign(
    progress: Progress, limits: Limits, *, workers: int, tell: Callable[[str], None], path: Path | None = None
) -> bool:
    """Play on from `progress` until a limit is reached or a word leaked; whether none did.

    Progress is kept in `path` after each bunch.
    """
    leaked: list[int] = []
    with open_workers(workers) as pool:
        for bunch in play_bunches(
            play_scripts, progress, limits, pool=pool, workers=workers, path=path, is_enough=lambda: bool(leaked)
        ):
            for seed, findings in bunch.findings.items():
                leaked.append(seed)
                for finding in findings:
                    tell(f"seed {seed}: {finding}")
    return not leaked


def _play(seed: int) -> Outcome:
    with playing():
        return play(seed)
