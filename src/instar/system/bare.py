"""The clock and the dice without an event loop: for commands that start, ask once and end.

`clock` and `ids` import what a gateway needs for its life; that alone takes longer than such a command may.
"""

from __future__ import annotations

import os
import time

from instar.core.model.ids import Instant

__all__ = ["draw_bytes", "read_monotonic", "read_now", "wait"]


def draw_bytes(count: int) -> bytes:
    """So many random bytes that nobody can guess."""
    return os.urandom(count)


def read_monotonic() -> float:
    """Seconds since some moment; never goes back."""
    return time.monotonic()


def read_now() -> Instant:
    """The wall clock, epoch milliseconds UTC."""
    return Instant(time.time_ns() // 1_000_000)


def wait(seconds: float) -> None:
    """Do nothing for that long; for programs without an event loop."""
    time.sleep(seconds)
