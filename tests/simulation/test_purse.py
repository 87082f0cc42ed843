"""What a budget counts where it is hard to tell: after an erasure of its session nothing of the life that went, and all
of the one after it; around a clock that is set back the day that the turn begins on, and the life that it begins in.
"""

from __future__ import annotations

import pytest

from instar.core.policy.budget import BudgetDecision
from instar.gateway.turn_budget import TurnBudget
from instar.testing.simulate import Setting, Story, play_story
from instar.testing.simulate.story import Crash, Erase, Jump, Ticks, Wait, Write

SETTING = Setting(queue_mode="followup", mirrored=True, budget="session", erasable=True)
PAUSE = Wait(seconds=700)

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

    async def allow(*_arguments):
        return BudgetDecision(outcome="ok")

    monkeypatch.setattr(TurnBudget, "ask", allow)


def ask_too_early(monkeypatch):
    """Let the gateway ask before a turn begins, and no more when it does."""
    monkeypatch.setattr(TurnBudget, "admit", lambda *_arguments: None)


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


@pytest.mark.parametrize("budget", ["day", "session"])
def test_a_turn_begins_on_the_day_and_in_the_life_that_are_then(monkeypatch, budget):
    """Wherever the clock is set back while a turn is about to begin, what it is set back to counts."""
    setting = Setting(queue_mode="followup", budget=budget, reset_mode="daily")

    def find_broken():
        stories = [(*USED_UP, *write(5), Ticks(count=ticks), BACK, PAUSE) for ticks in range(4, 14)]
        return [one.rule for steps in stories for one in play(*steps, setting=setting).broken]

    assert find_broken() == []
    ask_too_early(monkeypatch)
    assert set(find_broken()) == {"COST-2"}


def test_a_session_that_goes_on_after_all_since_a_command_was_written_has_spent_what_it_has(monkeypatch):
    setting = Setting(queue_mode="steer-backlog", budget="session", reset_mode="idle", idle_minutes=60)
    command = Write(number=8, place=0, command="/queue collect", is_bare=True)
    steps = (*write(1, 2, 3, 4), PAUSE, Wait(seconds=4_000), *write(5, 6), command)
    assert not play(*steps, setting=setting).broken
    ask_too_early(monkeypatch)
    assert [one.rule for one in play(*steps, setting=setting).broken] == ["COST-2"]


def test_what_is_spent_before_a_session_began_by_the_clock_is_spent_in_it(monkeypatch):
    setting = Setting(queue_mode="followup", budget="session", reset_mode="none")
    steps = (*write(1), PAUSE, BACK, *write(2, 3, 4), PAUSE, *write(5), PAUSE)
    assert not play(*steps, setting=setting).broken
    ask_nothing(monkeypatch)
    assert [one.rule for one in play(*steps, setting=setting).broken] == ["COST-2"]


def test_nobody_is_refused_on_a_day_that_the_clock_was_set_to_where_nothing_is_spent():
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
