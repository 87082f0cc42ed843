"""A gateway of a story may die in any of its lives, and in the recovery of the next one too."""

from __future__ import annotations

import pytest

from instar.testing.simulate import Setting, Story, draw_story, play_story, tell_story
from instar.testing.simulate.story import Crash, Wait, Write


@pytest.mark.parametrize("again", range(9))
def test_the_life_after_a_death_dies_too_where_the_story_says_so(again):
    crash = Crash(steps=3, again=again)
    steps = (Write(number=1, place=0), crash, Wait(seconds=1), Write(number=2, place=0), Wait(seconds=10))
    story = Story(seed=1, setting=Setting(), steps=steps)
    played = play_story(story)
    assert not played.broken
    assert played.crashes == (2 if again else 1)
    assert (f"the next one dies after {again} steps" in tell_story(story)) == bool(again)


def test_some_drawn_stories_have_deaths_in_a_row():
    drawn = [step.again for seed in range(40) for step in draw_story(seed).steps if isinstance(step, Crash)]
    assert min(drawn) == 0
    assert set(range(1, 5)) & set(drawn)
