"""Parts that libraries can do without, kept out of the memory of a process that has no use for them.

Some libraries look whether another one is installed and import all of it if so: to paint a traceback, or for a command
line of their own. Nobody here asks for it, and that it is installed is up to whoever shares the environment.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

__all__ = ["absent"]


@contextmanager
def absent(*names: str) -> Iterator[None]:
    """Let imports find no modules of these names while the block runs, in any thread, as if they were not installed.

    What was imported before stays, and afterwards everything can be imported.
    """
    # `None` in the place of a module is Python's own mark for one that is not to be found (reference, section 5.3.1).
    modules = cast("dict[str, object]", sys.modules)
    hidden = [name for name in names if name not in modules]
    modules.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for name in hidden:
            if modules.get(name) is None:
                modules.pop(name, None)
