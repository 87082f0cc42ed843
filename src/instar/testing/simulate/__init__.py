"""The simulation: a whole gateway lives through drawn stories, and every promise of "nothing is lost" is checked.

One seed draws one story: who there is, how the gateway is configured, and some dozens of steps (messages, repeats,
commands, operations, waits, clock jumps, full disks, crashes). It is played against a real gateway over a store in
memory, on a clock that moves by itself when nothing is left to do; a day takes no time. What was promised is checked
at every commit, at every request to the model, and when the story is over. The same seed plays the same story::

    python -m instar.testing.simulate --seed 17           one story, told step by step
    python -m instar.testing.simulate --seconds 120       as many as fit, on all cores

A story that breaks a promise is shortened to the few steps that still break it.

What belongs here: stories and what they are held against. The twins of ports that any test may use lie one folder up;
decisions of the gateway are never repeated here, or the simulation would share their mistakes.
"""

from __future__ import annotations

from instar.testing.seeds import Limits
from instar.testing.simulate.campaign import Campaign, Progress, explain_seed, play_seeds
from instar.testing.simulate.draw import draw_story
from instar.testing.simulate.findings import Broken, Findings
from instar.testing.simulate.play import Played, play_story
from instar.testing.simulate.shrink import shrink_story
from instar.testing.simulate.story import Setting, Story
from instar.testing.simulate.tell import tell_story

__all__ = [
    "Broken",
    "Campaign",
    "Findings",
    "Limits",
    "Played",
    "Progress",
    "Setting",
    "Story",
    "draw_story",
    "explain_seed",
    "play_seeds",
    "play_story",
    "shrink_story",
    "tell_story",
]
