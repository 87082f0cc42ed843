"""A story that breaks a promise, made as short as it can be while it still breaks the same one.

Steps go first, in ever smaller bunches (the ddmin of Zeller and Hildebrandt, 2002), then the setting becomes plain
field by field, then each step is made plainer. Stories refer to messages and places by number, so any part may be left
out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace

from instar.testing.simulate.story import Call, Crash, Setting, Step, Story, Wait, Write

__all__ = ["shrink_story"]

PLAYS_MAX = 600
"""How many shorter stories are tried at most."""


def shrink_story(story: Story, still_breaks: Callable[[Story], bool], *, plays_max: int = PLAYS_MAX) -> Story:
    """The shortest story found that `still_breaks`."""
    trial = _Trial(story, still_breaks, plays_max)
    while True:
        before = trial.best
        _drop_steps(trial)
        _plain_setting(trial)
        _plain_steps(trial)
        if trial.best == before or trial.is_spent:
            return trial.best


class _Trial:
    """The best story so far, and how many more may be played."""

    def __init__(self, story: Story, still_breaks: Callable[[Story], bool], plays_max: int) -> None:
        self.best = story
        self._still_breaks = still_breaks
        self._left = plays_max

    @property
    def is_spent(self) -> bool:
        """Whether no more may be played."""
        return self._left <= 0

    def offer(self, story: Story) -> bool:
        """Take a shorter story if it still breaks; whether it did."""
        if self.is_spent or story == self.best:
            return False
        self._left -= 1
        if not self._still_breaks(story):
            return False
        self.best = story
        return True


def _drop_steps(trial: _Trial) -> None:
    size = max(1, len(trial.best.steps) // 2)
    while size:
        at = 0
        while at < len(trial.best.steps):
            steps = trial.best.steps
            if not trial.offer(replace(trial.best, steps=steps[:at] + steps[at + size :])):
                at += size
        size //= 2


def _plain_setting(trial: _Trial) -> None:
    plain = Setting()
    for one in fields(Setting):
        setting = trial.best.setting
        value = getattr(plain, one.name)
        if one.name not in {"people", "channels", "groups", "threads"} and getattr(setting, one.name) != value:
            trial.offer(replace(trial.best, setting=replace(setting, **{one.name: value})))


def _plain_steps(trial: _Trial) -> None:
    for at in range(len(trial.best.steps)):
        while any(trial.offer(_with_step(trial.best, at, step)) for step in _plainer(trial.best.steps[at])):
            pass  # what is left may become plainer still


def _with_step(story: Story, at: int, step: Step) -> Story:
    return replace(story, steps=(*story.steps[:at], step, *story.steps[at + 1 :]))


def _plainer(step: Step) -> Iterator[Step]:
    """Plainer forms of a step, the plainest first."""
    if isinstance(step, Write | Call):
        words = step.wish.split()
        if words:
            yield replace(step, wish="")
        for at in range(len(words)):
            yield replace(step, wish=" ".join(words[:at] + words[at + 1 :]))
    if isinstance(step, Write):
        yield replace(step, age_s=0, late_s=0, mentioned=True)
        yield replace(step, late_s=0)
    if isinstance(step, Wait):
        yield from (Wait(seconds=seconds) for seconds in (0, 1) if seconds < step.seconds)
    if isinstance(step, Crash):
        yield replace(step, down_s=0)
        yield replace(step, ghost=False)
        yield replace(step, harm="")
        yield replace(step, again=0)
        for count in range(1, min(step.steps, 40)):
            yield replace(step, steps=count)
