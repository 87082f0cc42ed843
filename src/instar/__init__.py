"""Instar: a session gateway for AI agents. Nothing is lost, nothing leaks, everything is explained.

`TOUR.md` follows one message through the rooms of this package. Names listed in `__all__` are for users of the library
and stay; everything else may move.
"""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
"""The version of `pyproject.toml`, written out because reading package metadata takes longer than starting the CLI."""
