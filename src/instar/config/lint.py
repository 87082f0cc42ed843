"""Pairs of settings that are never meant, and slips that no type shows (WHY-5)."""

from __future__ import annotations

from collections.abc import Iterator

from instar.config.config import Config
from instar.config.finding import Finding

__all__ = ["lint_config"]


def lint_config(config: Config) -> Iterator[Finding]:
    """Everything noticed, in the order of the rules."""
    yield from ()
