"""A gateway on a slow disk: ``python -m instar.testing.crash.slow MS gateway …`` runs the command line as it is.

Every commit and every sync of a file takes `MS` milliseconds longer, so that commits grow large, acknowledgements come
late, and a kill more often hits what is half on its way.
"""

from __future__ import annotations

import os
import runpy
import sys

import apsw

from instar.system.bare import wait

__all__ = ["make_disk_slow"]


def make_disk_slow(delay_s: float) -> None:
    """Delay every later commit and sync of this process."""
    sync = os.fsync

    def slow_sync(descriptor: int) -> None:
        wait(delay_s)
        sync(descriptor)

    def slow_commit() -> bool:
        wait(delay_s)
        return False  # go on with the commit

    os.fsync = slow_sync  # type: ignore[assignment]  # it is called with a descriptor only
    apsw.connection_hooks.append(lambda connection: connection.set_commit_hook(slow_commit))


if __name__ == "__main__":
    make_disk_slow(int(sys.argv.pop(1)) / 1000)
    runpy.run_module("instar", run_name="__main__", alter_sys=True)
