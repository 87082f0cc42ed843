"""Processes that play for a campaign, and end with it.

A campaign that is killed says nothing to its workers: they would play on, and then wait for ever for more. So each
watches the process that started it. When that is gone it ends, after what it is playing: that has a folder of its own,
which nobody else would remove.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Final

__all__ = ["open_workers", "playing"]

_PLAYING: Final = threading.Lock()
_IS_ALONE: Final = threading.Event()


def open_workers(number: int) -> ProcessPoolExecutor:
    """So many processes that end with this one. Each begins afresh, without this one's threads and locks."""
    return ProcessPoolExecutor(number, mp_context=multiprocessing.get_context("spawn"), initializer=_follow_parent)


@contextmanager
def playing() -> Iterator[None]:
    """What is played inside is finished also when the campaign is gone; nothing is begun after that."""
    if _IS_ALONE.is_set():
        os._exit(1)
    with _PLAYING:
        yield


def _follow_parent() -> None:
    """Let this process end when the one that started it has ended; does nothing in one that nobody started."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_wait_for, args=(parent.sentinel,), name="parent", daemon=True).start()


def _wait_for(sentinel: int) -> None:
    wait([sentinel])
    _IS_ALONE.set()
    with _PLAYING:
        os._exit(1)
