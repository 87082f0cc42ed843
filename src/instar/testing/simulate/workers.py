"""The processes that play stories for a campaign, and end with it.

A campaign that is killed says nothing to its workers: they would play on, and then wait for ever for more. So each
watches the process that started it. When that is gone it ends, after the story that it plays: a story has a folder of
its own, which nobody else would remove.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from multiprocessing.connection import wait
from typing import Final

from instar.testing.simulate.play import Played, play_story
from instar.testing.simulate.story import Story

__all__ = ["follow_parent", "play_and_look_up"]

_PLAYING: Final = threading.Lock()
_IS_ALONE: Final = threading.Event()


def follow_parent() -> None:
    """Let this process end when the one that started it has ended; does nothing in one that nobody started."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_wait_for, args=(parent.sentinel,), name="parent", daemon=True).start()


def play_and_look_up(story: Story) -> Played:
    """Play a story, as a worker does: whose campaign is gone begins no other."""
    if _IS_ALONE.is_set():
        os._exit(1)
    with _PLAYING:
        return play_story(story)


def _wait_for(sentinel: int) -> None:
    wait([sentinel])
    _IS_ALONE.set()
    with _PLAYING:
        os._exit(1)
