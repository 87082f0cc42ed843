"""A seed names one story, and a story goes one way: on every machine, in every process, however often it is played."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from instar.testing.simulate import draw_story, play_story
from instar.testing.simulate.dice import Dice

PRINT_TRACES = """
from instar.testing.simulate import draw_story, play_story
for seed in range({first}, {end}):
    print(play_story(draw_story(seed)).trace)
"""


def test_draws_are_those_of_the_published_generator():
    # SplitMix64 with state 1234567 gives these words (Steele, Lea and Flood; the reference code of Vigna).
    dice = Dice(0)
    dice._state = 1234567
    words = [dice.below(1 << 64) for _ in range(3)]
    assert words == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_neighbouring_seeds_draw_different_things():
    rows = [[Dice(seed).below(1 << 32) for seed in range(50)]]
    rows += [[draw.below(1 << 32) for _ in range(50)] for draw in (Dice(0), Dice(1))]
    drawn = [word for row in rows for word in row]
    assert len(set(drawn)) == len(drawn) - 2  # the first draws of seeds 0 and 1 stand in two rows


def test_the_same_seed_draws_the_same_story():
    assert draw_story(3) == draw_story(3)
    assert draw_story(3) != draw_story(4)


@pytest.mark.timeout(180)
def test_a_story_goes_the_same_way_in_every_process():
    here = [play_story(draw_story(seed)).trace for seed in range(8)]
    for hash_seed in ("0", "1"):
        told = subprocess.run(
            [sys.executable, "-c", PRINT_TRACES.format(first=0, end=8)],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert told.stdout.split() == here
