"""What the budget of a session counts after an erasure: nothing of the life that went, and all of the one after it."""

from __future__ import annotations

from instar.core.policy.budget import BudgetDecision
from instar.gateway.spending import SpendingBook
from instar.testing.simulate import Setting, Story, play_story
from instar.testing.simulate.story import Erase, Wait, Write

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


def play(*steps):
    return play_story(Story(seed=100481, setting=SETTING, steps=steps))


def test_what_went_with_an_erased_session_is_not_spent_in_the_next_one_of_the_same_millisecond():
    played = play(*AFTER_ERASURE)
    assert not played.broken
    assert (played.messages, played.turns) == (4, 4), "the first one has gone, the others were answered"


def test_a_session_that_follows_an_erased_one_may_not_spend_more_than_its_budget(monkeypatch):
    steps = (*AFTER_ERASURE, PAUSE, Write(number=1006, place=0))
    assert not play(*steps).broken

    async def ask_nothing(*_arguments, **_facts):
        return BudgetDecision(outcome="ok")

    monkeypatch.setattr(SpendingBook, "check", ask_nothing)
    broken = play(*steps).broken
    assert [one.rule for one in broken] == ["COST-2"]
    assert "although $0.0625 are spent" in broken[0].text
