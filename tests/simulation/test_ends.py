"""A gateway of a story that was stopped in good order owes nobody an answer, and does nothing more."""

from __future__ import annotations

import asyncio

import pytest

from instar.gateway.lane_mailbox import Mailbox
from instar.testing.simulate import Setting, Story, draw_story, play_story
from instar.testing.simulate.asked import MESSAGE, Asked
from instar.testing.simulate.story import Erase, Operate, Refuse, Restart, Step, Wait, Write

BUSY_STOP: tuple[Step, ...] = (
    Write(number=1, place=0, wish="slow=30"),
    Wait(seconds=1),
    # The turn is told to end by the first client and cannot write that it did, so the second one waits.
    Refuse(seconds=60),
    Operate(operation="reset", place=0),
    Operate(operation="abort", place=0),
    Wait(seconds=1),
    Restart(),
    Wait(seconds=100),
)


def test_an_erasure_that_a_stop_cuts_goes_on_in_the_next_life_alone():
    steps = (
        Write(number=1003, place=0, wish="slow=30"),
        Wait(seconds=0),
        Refuse(seconds=30),
        Write(number=1007, place=0, command="/resume", is_bare=True),
        Erase(place=0),
        Wait(seconds=10),
        Restart(),
    )
    setting = Setting(channels=("tide",), mirrored=True, erasable=True)
    played = play_story(Story(seed=13100, setting=setting, steps=steps))
    assert not played.broken
    assert (played.messages, played.crashes) == (1, 0)


def test_clients_that_wait_when_the_gateway_is_stopped_are_told_so():
    played = play_story(Story(seed=1, setting=Setting(), steps=BUSY_STOP))
    assert not played.broken
    assert played.messages == 1


def test_a_stop_that_leaves_a_client_waiting_breaks_a_promise(monkeypatch):
    monkeypatch.setattr(Mailbox, "leave", lambda _self: iter(()))
    broken = play_story(Story(seed=1, setting=Setting(), steps=BUSY_STOP)).broken
    assert [(one.rule, one.text) for one in broken] == [
        ("LOSS-2", "the gateway has stopped and still owes an answer: abort")
    ]


@pytest.mark.parametrize(("erasing", "left"), [(False, (MESSAGE, "delete", "erase", "abort")), (True, ("abort",))])
def test_what_stands_behind_an_erasure_may_wait_and_nothing_else(erasing, left):
    async def play() -> tuple[str, ...]:
        asked = Asked()
        with asked.noted(MESSAGE), asked.noted("delete"), asked.noted("erase"), asked.noted("abort"):
            return await asked.find_left(erasing=erasing)

    assert asyncio.run(play()) == left


def test_an_answer_that_is_on_its_way_counts():
    async def play() -> tuple[str, ...]:
        asked = Asked()

        async def take() -> None:
            with asked.noted("reset"):
                for _ in range(20):
                    await asyncio.sleep(0)

        taking = asyncio.create_task(take())
        await asyncio.sleep(0)
        left = await asked.find_left(erasing=False)
        await taking
        return left

    assert asyncio.run(play()) == ()


def test_some_drawn_stories_stop_a_session_that_clients_wait_for():
    def is_busy(steps: tuple[Step, ...]) -> bool:
        ends = [at for at, step in enumerate(steps) if isinstance(step, Restart)]
        return any(sum(isinstance(step, Operate) for step in steps[max(0, at - 10) : at]) >= 2 for at in ends)

    assert sum(is_busy(draw_story(seed).steps) for seed in range(200)) >= 10
