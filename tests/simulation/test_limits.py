"""What a request has to hold where a limit leaves out the older part of its own turn."""

from __future__ import annotations

from instar.testing.simulate import Setting, Story, play_story
from instar.testing.simulate.story import Call, Crash, Wait, Write


def test_what_was_steered_into_a_turn_may_push_its_first_message_out_of_a_limit():
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
