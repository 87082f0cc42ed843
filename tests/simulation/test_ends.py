"""A gateway of a story that was stopped in good order does nothing more, whatever it had been asked and not done."""

from __future__ import annotations

from instar.testing.simulate import Setting, Story, play_story
from instar.testing.simulate.story import Erase, Refuse, Restart, Wait, Write


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
