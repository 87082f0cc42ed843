"""`instar` and ``python -m instar``."""

from __future__ import annotations

import gc
import os
import sys

__all__ = ["main"]

_LASTING = {"apsw", "asyncio", "concurrent.futures", "coverage"}
"""Modules of whoever has something to finish when the interpreter ends."""


def main() -> int:
    """Run the command line; the exit code."""
    # Most commands end within a tenth of a second, a good part of which would go into looking for garbage in what was
    # just imported. Those that stay switch the collector on again.
    gc.disable()
    from instar.cli.main import run

    code = run()
    if sys.modules.keys().isdisjoint(_LASTING):
        # Nothing waits to be finished: no thread, no event loop, no database. Taking the interpreter apart in good
        # order would take a tenth of the time that the command took.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


if __name__ == "__main__":
    sys.exit(main())
