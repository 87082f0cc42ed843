"""What a request has to hold: all of its own turn whatever a limit leaves out, but not what a ghost cannot know."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instar.core.turn.steps import plan_steer
from instar.gateway import turn
from instar.testing.simulate import Setting, Story, play_story
from instar.testing.simulate.story import Call, Crash, Operate, Refuse, Restart, Ticks, Wait, Write


def test_what_was_steered_into_a_turn_does_not_push_its_first_message_out_of_a_limit():
    steps = (
        Write(number=1, place=1),
        Wait(seconds=0),
        Crash(ticks=15),
        Call(number=3, place=1, deliver=False, queue_mode="followup"),
        *(Write(number=number, place=number % 2) for number in range(5, 11)),
    )
    setting = Setting(people=("ann", "bob", "cem"), channels=("tide",), dm_scope="main", max_messages=6)
    played = play_story(Story(seed=1, setting=setting, steps=steps))
    assert not played.broken
    assert played.messages == 8


def test_what_waits_for_a_turn_of_its_own_too_does_not_push_the_first_message_out_of_a_limit():
    steps = (
        Write(number=6, place=0),
        Ticks(count=5),
        *(Write(number=number, place=0) for number in (13, 14, 16)),
        Call(number=17, place=0, wish="slow=30", deliver=False, queue_mode="steer-backlog"),
        Wait(seconds=0),
        Crash(ticks=1),
    )
    setting = Setting(queue_mode="steer-backlog", max_messages=6)
    played = play_story(Story(seed=8503, setting=setting, steps=steps))
    assert not played.broken
    assert (played.messages, played.crashes) == (5, 1)


def test_a_ghost_knows_nothing_of_what_the_next_life_put_into_its_turn():
    steps = (
        Write(number=1, place=0, wish="fault=rate_limit"),
        Wait(seconds=0),
        Crash(steps=2, ghost=True),
        Write(number=9, place=0),
        Wait(seconds=0),
    )
    played = play_story(Story(seed=10703, setting=Setting(queue_mode="steer", stand_ins=2), steps=steps))
    assert not played.broken
    assert (played.messages, played.crashes) == (2, 1)


@pytest.mark.parametrize("mode", ["steer", "steer-backlog", "collect"])
def test_a_history_that_is_cut_off_holds_all_of_the_turn_that_runs(mode):
    steps = (
        *(Write(number=number, place=0) for number in (1, 2)),
        Wait(seconds=1),
        Write(number=3, place=0, wish="tools=slow rounds=2"),
        *(step for number in (4, 5, 6) for step in (Wait(seconds=1), Write(number=number, place=0, wish="tools=slow"))),
    )
    played = play_story(Story(seed=1, setting=Setting(queue_mode=mode, max_messages=1, truncates=True), steps=steps))
    assert not played.broken
    assert played.messages == 6


def test_a_line_that_an_operator_put_in_does_not_push_what_stands_before_it_out_of_a_limit():
    steps = (
        *(Write(number=number, place=0) for number in (10, 11)),
        Write(number=25, place=0, wish="slow=5"),
        Wait(seconds=0),
        Refuse(seconds=30),
        Operate(operation="new", place=0),
        Wait(seconds=0),
        Restart(),
        Operate(operation="patch-queue", place=0, argument="steer"),
        Write(number=16, place=0),
        Wait(seconds=10),
        Write(number=18, place=0, wish="tools=look"),
        Operate(operation="inject", place=0),
        *(Write(number=number, place=0) for number in (19, 21)),
    )
    setting = Setting(queue_mode="followup", cap=2, drop="new", max_messages=6)
    assert not play_story(Story(seed=1254, setting=setting, steps=steps)).broken


def test_a_line_that_an_operator_put_in_answers_nobody_for_the_model():
    steps = (
        Write(number=1, place=0, wish="tools=hang+look"),
        Write(number=2, place=0, age_s=90_000, late_s=1),
        Wait(seconds=0),
        Restart(),
        Call(number=14, place=0, queue_mode="steer-backlog"),
        *(Write(number=number, place=0) for number in (16, 18)),
        Operate(operation="inject", place=0),
    )
    assert not play_story(Story(seed=1254, setting=Setting(cap=2, max_messages=6), steps=steps)).broken


@pytest.mark.parametrize("mode", ["steer", "steer-backlog"])
def test_a_request_without_what_was_put_into_its_turn_is_found(mode, monkeypatch):
    # The model is shown the messages of a turn without those that were put into it.
    def plan_deaf(facts, items, entries, **others):
        return plan_steer(facts, items, [_without_words(entry) for entry in entries], **others)

    monkeypatch.setattr(turn, "plan_steer", plan_deaf)
    steps = (Write(number=1, place=0, wish="tools=slow"), Wait(seconds=1), Write(number=2, place=0))
    played = play_story(Story(seed=1, setting=Setting(queue_mode=mode), steps=steps))
    assert "LOSS-9" in {broken.rule for broken in played.broken}


def _without_words(entry):
    return replace(entry, message=replace(entry.message, content="nothing"))
