"""Drawn stories keep every promise of "nothing is lost" (LOSS-1…9), for as long as the run allows.

``--simulate SECONDS`` says for how long, 100 if nobody says; the stories are the same in every run, as many as fit.
`make simulate` goes further: on all cores, and on from where it stopped.
"""

from __future__ import annotations

import os

import pytest

from instar.system.clock import SystemClock
from instar.testing.simulate import draw_story, explain_seed, play_story

SHARDS = 8
"""Parts of the run, so that several workers share it."""

LEAST = 5
"""Stories of a part that are played however little time there is."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_no_drawn_story_breaks_a_promise(shard, pytestconfig):
    clock = SystemClock()
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    until = clock.monotonic() + pytestconfig.getoption("--simulate") * workers / SHARDS
    seed, played = shard, 0
    while played < LEAST or clock.monotonic() < until:
        if play_story(draw_story(seed)).broken:
            pytest.fail(explain_seed(seed), pytrace=False)
        seed, played = seed + SHARDS, played + 1
