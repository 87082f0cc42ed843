"""A story in words, one line a step, for people who have to find out what went wrong."""

from __future__ import annotations

from dataclasses import fields
from typing import assert_never

from instar.testing.simulate.findings import Broken
from instar.testing.simulate.story import (
    Again,
    Answer,
    Call,
    Configure,
    Crash,
    Erase,
    Falter,
    Fetch,
    Jump,
    Move,
    Operate,
    Passing,
    Place,
    Refuse,
    Restart,
    Setting,
    Step,
    Story,
    Ticks,
    Wait,
    Write,
    build_places,
    build_text,
)

__all__ = ["tell_broken", "tell_story"]


def tell_story(story: Story) -> str:
    """The setting, as far as it is not plain, and the steps."""
    plain = Setting()
    special = [
        f"{one.name}={getattr(story.setting, one.name)!r}"
        for one in fields(Setting)
        if getattr(story.setting, one.name) != getattr(plain, one.name)
    ]
    places = build_places(story.setting)
    head = f"Story of seed {story.seed}: {', '.join(special) or 'everything plain'}"
    return "\n".join(
        [head, *(f"{at:4} {_tell(step, story.setting, places)}" for at, step in enumerate(story.steps, 1))]
    )


def tell_broken(broken: Broken) -> str:
    """What was broken, and when."""
    return f"{broken.rule} after step {broken.step}: {broken.text}"


def _tell(step: Step, setting: Setting, places: tuple[Place, ...]) -> str:
    match step:
        case Write():
            place = places[step.place]
            asides = [] if step.mentioned else ["without addressing the agent"]
            asides += [f"{step.age_s} s ago by the platform's clock"] if step.age_s else []
            asides += [f"handed over {step.late_s} s later"] if step.late_s else []
            tail = f" ({'; '.join(asides)})" if asides else ""
            return f"{_name(place)} writes m{step.number}: {build_text(step, setting)}{tail}"
        case Again(number=number):
            return f"m{number} is delivered once more"
        case Call():
            asides = [f"deliver={step.deliver}", f"mode={step.queue_mode}", f"timeout_ms={step.timeout_ms}"]
            who = _name(places[step.place])
            return f"a client sends m{step.number} for {who}: {build_text(step, setting)} ({', '.join(asides)})"
        case Operate(operation=operation, place=place_at, argument=argument):
            return f"a client asks for {operation} {argument} of the session of {_name(places[place_at])}"
        case Fetch(channel=channel, count=count, lost=lost):
            return f"{channel} fetches {count} replies{f'; the {lost} is lost' if lost else ''}"
        case Answer(verb="wrong"):
            return "the owner approves a code that nobody was told"
        case Answer(verb=verb, pick=pick):
            return f"the owner would {verb} number {pick} of those who {'were let in' if verb == 'revoke' else 'wait'}"
        case Erase(place=place_at):
            return f"{_name(places[place_at])} asks to be forgotten"
        case _:
            return _tell_passing(step)


def _tell_passing(step: Wait | Ticks | Passing) -> str:
    match step:
        case Wait(seconds=seconds):
            return f"{seconds} s pass" if seconds else "whatever can happen happens"
        case Ticks(count=count):
            return f"the gateway works for {count} turns of its loop"
        case Jump(seconds=seconds):
            return f"the wall clock is set {'forwards' if seconds > 0 else 'back'} by {abs(seconds)} s"
        case Move(zone=zone):
            return f"the host moves to {zone}"
        case Crash():
            when = f"after {step.steps} more steps" if step.steps else f"after {step.ticks} turns of its loop"
            ghost = ", and haunts the next one" if step.ghost else ""
            harms = {"": "", "cut": "; a file of the mirror loses its end", "flip": "; a file of the mirror is damaged"}
            again = f"; the next one dies after {step.again} steps" if step.again else ""
            return f"the gateway dies {when}, is down for {step.down_s} s{ghost}{harms[step.harm]}{again}"
        case Restart():
            return "the gateway is stopped in good order and started again"
        case Refuse(seconds=seconds):
            return f"the store refuses every write for {seconds} s"
        case Falter(channel=channel, faults=faults):
            return f"the next sendings on {channel} go wrong: {', '.join(faults)}"
        case Configure(queue_mode=mode):
            return f"the queue mode becomes {mode}"
        case _:
            assert_never(step)


def _name(place: Place) -> str:
    where = "direct" if place.chat_type == "direct" else place.chat_id
    thread = f" thread {place.thread_id}" if place.thread_id else ""
    return f"{place.person} ({place.channel} {where}{thread}, s{place.index}s)"
