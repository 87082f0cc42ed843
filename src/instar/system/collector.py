"""The collector of garbage, kept from walking over a great many values while somebody waits.

Python looks for unreachable cycles by walking over everything that is alive, in one go, and nothing else runs
meanwhile: with the 100,000 entries of an import that is 150 ms, again and again while they are read. Values that were
decoded form no cycles; what counts references frees them.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["collector_at_rest"]

_guard = threading.Lock()
_resting: list[bool] = []
"""For each block that runs, whether the collector ran before it."""


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Let no collection happen while the block runs, in any thread; blocks may overlap. Cycles wait so long."""
    with _guard:
        _resting.append(gc.isenabled() or any(_resting))
        gc.disable()
    try:
        yield
    finally:
        with _guard:
            was_running = _resting.pop()
            if was_running and not _resting:
                # What was made meanwhile counts as old: to look through it as if it were new takes 200 ms.
                gc.freeze()
                gc.unfreeze()
                gc.enable()
