"""What a budget counts where it is hard to tell: after an erasure of its session nothing of the life that went, and all
of the one after it; around a clock that is set back the day that the gateway saw, and no other.
"""

from __future__ import annotations

import pytest

from instar.core.policy.budget import BudgetDecision
from instar.gateway.spending import SpendingBook
from instar.testing.simulate import Setting, Story, play_story
from instar.testing.simulate.story import Crash, Erase, Jump, Ticks, Wait, Write

SETTING = Setting(queue_mode="followup", mirrored=True, budget="session", erasable=True)
PAUSE = Wait(seconds=700)
"""Longer than a turn that was let through may take to begin."""

AFTER_ERASURE = (
    Write(number=1001, place=0),
    Erase(place=0),
    *(Write(number=number, place=0) for number in (1002, 1003, 1004)),
    PAUSE,
    Write(number=1005, place=0),
)
"""All before the pause is within one millisecond; the last message takes what the new session may still spend."""


DAILY = Setting(queue_mode="followup", budget="day")
DAY_S = 86_400
A_DAY = Wait(seconds=DAY_S + 3_600)
BACK = Jump(seconds=-DAY_S)


def write(*numbers, wish=""):
    return tuple(Write(number=number, place=0, wish=wish) for number in numbers)


USED_UP = (*write(1, 2, 3, 4), A_DAY)
"""All of one day is spent, and the next one has begun."""


def play(*steps, setting=SETTING):
    return play_story(Story(seed=100481, setting=setting, steps=steps))


def ask_nothing(monkeypatch):
    """Let the gateway begin every turn, whatever was spent."""

    async def allow(*_arguments, **_facts):
        return BudgetDecision(outcome="ok")

    monkeypatch.setattr(SpendingBook, "check", allow)


def test_what_went_with_an_erased_session_is_not_spent_in_the_next_one_of_the_same_millisecond():
    played = play(*AFTER_ERASURE)
    assert not played.broken
    assert (played.messages, played.turns) == (4, 4), "the first one has gone, the others were answered"


def test_a_session_that_follows_an_erased_one_may_not_spend_more_than_its_budget(monkeypatch):
    steps = (*AFTER_ERASURE, PAUSE, Write(number=1006, place=0))
    assert not play(*steps).broken
    ask_nothing(monkeypatch)
    broken = play(*steps).broken
    assert [one.rule for one in broken] == ["COST-2"]
    assert "although $0.0625 are spent" in broken[0].text


# --- a clock that is set back -----------------------------------------------------------------------------------------


def test_a_turn_that_was_let_through_may_begin_on_a_day_that_the_clock_was_set_back_to():
    """Wherever the clock is set back while a turn is about to begin, the gateway decides by what it saw."""
    for ticks in range(20):
        played = play(*USED_UP, *write(5), Ticks(count=ticks), BACK, PAUSE, setting=DAILY)
        assert not played.broken, f"set back after {ticks} turns of the loop: {played.broken}"


def test_a_refusal_may_come_on_a_day_that_the_clock_was_set_to_where_nothing_is_spent():
    """A gateway that has just started does not know the sum yet, and has to ask the store."""
    on = Jump(seconds=DAY_S + 3_600)
    for ticks in range(20):
        steps = (*write(1, 2, 3, 4), PAUSE, Crash(ticks=0), PAUSE, *write(5), Ticks(count=ticks), on, PAUSE)
        played = play(*steps, setting=DAILY)
        assert not played.broken, f"set on after {ticks} turns of the loop: {played.broken}"


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param((BACK, *write(5), PAUSE), id="accepted after the clock was set back"),
        pytest.param((*write(5, 6, 7, 8), PAUSE, *write(9), Ticks(count=5), BACK, PAUSE), id="both days are used up"),
        pytest.param(
            (*write(5, wish="slow=300"), Wait(seconds=1), *write(6), Wait(seconds=1), BACK, PAUSE),
            id="waited behind another for long after the clock was set back",
        ),
        pytest.param(
            (*write(5), Ticks(count=5), BACK, Crash(ticks=0), PAUSE), id="decided by a gateway that started afterwards"
        ),
    ],
)
def test_a_gateway_that_asks_nothing_is_caught_around_a_clock_that_is_set_back_too(monkeypatch, steps):
    assert not play(*USED_UP, *steps, setting=DAILY).broken
    ask_nothing(monkeypatch)
    assert [one.rule for one in play(*USED_UP, *steps, setting=DAILY).broken] == ["COST-2"]
