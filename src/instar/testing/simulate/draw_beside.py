"""What is drawn beside a story: who has to be let in, what may be spent, who stands in, who asks to be forgotten, and
who waits for an answer when the gateway is stopped.

Each comes to some of the stories and leaves the others as they are. It is drawn from dice of its own, so that a seed
goes on to name the story that it named before there was anything to draw beside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from instar.testing.simulate.dice import Dice
from instar.testing.simulate.story import (
    LONG_MARKS,
    Again,
    Answer,
    Call,
    Crash,
    Erase,
    Jump,
    Operate,
    Operation,
    Refuse,
    Restart,
    Step,
    Story,
    Ticks,
    Wait,
    Write,
    build_places,
)

__all__ = ["draw_beside"]

_BESIDE: Final = 0x1E57A03
"""Turns a seed into the seed of these dice."""

_AGAIN: Final = 0x2D1E5A9
"""The same for the dice of deaths that come in a row."""

_ASKED: Final = 0x3A5CED4
"""The same for the dice of stops that find clients waiting."""

_ASKED_PERCENT: Final = 8
"""How many of a hundred stories have such a stop."""

_FAULTS: Final = ("auth", "server", "overloaded", "rejected", "cut", "rate_limit", "reset")

_WAITING: Final[tuple[Operation, ...]] = ("abort", "reset", "new", "delete", "compact", "undo", "keep-lines", "resume")
"""What a client asks for that has to wait for what runs."""


def draw_beside(story: Story) -> Story:
    """The story with what its seed draws beside it, often nothing."""
    dice = Dice(story.seed ^ _BESIDE)
    kinds: tuple[tuple[int, Callable[[Dice, Story], Story]], ...] = (
        (16, _draw_strangers),
        (14, _draw_budget),
        (16, _draw_stand_ins),
        (16, _draw_erasures),
    )
    for percent, draw in kinds:
        if dice.chance(percent):
            story = draw(dice, story)
    asked = Dice(story.seed ^ _ASKED)
    if asked.chance(_ASKED_PERCENT):
        story = _draw_busy_stop(asked, story)
    return _draw_deaths_in_a_row(Dice(story.seed ^ _AGAIN), story)


def _draw_busy_stop(dice: Dice, story: Story) -> Story:
    """The gateway is stopped while clients wait for a session at work, often one that cannot write just now."""
    steps, places = list(story.steps), len(build_places(story.setting))
    at = dice.between(len(steps) // 3, len(steps))
    written = [step.place for step in steps[:at] if isinstance(step, Write)]
    place = dice.pick(written) if written else dice.below(places)
    work = Write(
        number=_last_number(steps) + 1, place=place, wish=dice.pick(("slow=30", "slow=5", "tools=slow slow=5"))
    )
    stop: list[Step] = [work, Wait(seconds=dice.pick((0, 1)))]
    if dice.chance(60):
        stop.append(Refuse(seconds=dice.pick((5, 30, 30))))
    for _ in range(dice.between(2, 4)):
        stop.append(Operate(operation=dice.pick(_WAITING), place=place))
        if dice.chance(30):
            stop.append(Ticks(count=dice.pick((1, 3, 8))))
    if story.setting.erasable and dice.chance(50):
        stop.append(Erase(place=place))
    stop += [Wait(seconds=dice.pick((0, 0.2, 1))), Restart()]
    steps[at:at] = stop
    return replace(story, steps=tuple(steps))


def _draw_deaths_in_a_row(dice: Dice, story: Story) -> Story:
    """Some of the starts after a crash are cut off too."""
    steps = (
        replace(step, again=dice.between(1, 12)) if isinstance(step, Crash) and dice.chance(25) else step
        for step in story.steps
    )
    return replace(story, steps=tuple(steps))


def _draw_strangers(dice: Dice, story: Story) -> Story:
    """Some have to be let in, and an owner lets them in, or not, or takes it back."""
    people = story.setting.people
    paired = tuple(person for person in people if dice.chance(70)) or people[:1]
    setting = replace(story.setting, paired=paired, paired_groups=bool(story.setting.groups) and dice.chance(60))
    steps = list(story.steps)
    for _ in range(dice.between(3, 10)):
        verb = dice.weighted(((7, "approve"), (1, "reject"), (1, "revoke"), (2, "wrong")))
        _put(dice, steps, Answer(verb=verb, pick=dice.below(3)))  # type: ignore[arg-type]  # one of its words
    for _ in range(dice.below(3)):
        _put(dice, steps, Wait(seconds=dice.pick((3_500, 3_700))))
    return replace(story, setting=setting, steps=tuple(steps))


def _draw_budget(dice: Dice, story: Story) -> Story:
    """A budget that a few turns use up, and a day on which it is free again."""
    setting = replace(story.setting, budget=dice.pick(("day", "day", "person", "session")))
    steps = list(story.steps)
    number = _last_number(steps)
    places = len(build_places(setting))
    for _ in range(dice.between(1, 2)):
        steps.append(Wait(seconds=90_000) if dice.chance(50) else Jump(seconds=86_400))
        for _ in range(dice.between(1, 6)):
            number += 1
            steps += [Write(number=number, place=dice.below(places)), Wait(seconds=dice.pick((0, 1, 3)))]
    return replace(story, setting=setting, steps=tuple(steps))


def _draw_stand_ins(dice: Dice, story: Story) -> Story:
    """Other models answer where the first one fails, in any way there is."""
    setting = replace(story.setting, stand_ins=dice.between(1, 2))
    return replace(story, setting=setting, steps=tuple(_let_fail(dice, step) for step in story.steps))


def _draw_erasures(dice: Dice, story: Story) -> Story:
    """Some ask to be forgotten: in the middle of everything, before a crash, twice."""
    setting = replace(story.setting, erasable=True, mirrored=True)
    steps = [_with_long_mark(step) for step in story.steps]
    places = len(build_places(setting))
    for _ in range(dice.between(1, 3)):
        at = dice.between(len(steps) // 3, len(steps))
        written = [step.place for step in steps[:at] if isinstance(step, Write)]
        place = dice.pick(written) if written and dice.chance(90) else dice.below(places)
        asked: list[Step] = [Erase(place=place)]
        if dice.chance(50):
            asked.append(Crash(steps=dice.between(8, 75), down_s=dice.pick((0, 5))))
        if dice.chance(20):
            asked.append(Erase(place=place))
        if dice.chance(50):
            asked.append(Wait(seconds=dice.pick((0, 1, 10))))
        steps[at:at] = asked
    return replace(story, setting=setting, steps=tuple(steps))


def _with_long_mark(step: Step) -> Step:
    """The step with a number that is long enough to be looked for; a dead gateway does not go on beside the next."""
    if isinstance(step, Write | Call | Again):
        return replace(step, number=step.number + LONG_MARKS)
    return replace(step, ghost=False) if isinstance(step, Crash) else step


def _let_fail(dice: Dice, step: Step) -> Step:
    if not isinstance(step, Write | Call) or "fault" in step.wish or not dice.chance(35):
        return step
    if isinstance(step, Write) and step.is_bare:
        return step
    return replace(step, wish=f"{step.wish} fault={dice.pick(_FAULTS)} down={dice.between(1, 2)}".strip())


def _put(dice: Dice, steps: list[Step], step: Step) -> None:
    """Somewhere among the steps."""
    steps.insert(dice.between(0, len(steps)), step)


def _last_number(steps: list[Step]) -> int:
    return max((step.number for step in steps if isinstance(step, Write | Call)), default=0)
