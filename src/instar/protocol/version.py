"""Which protocol a client and this gateway speak to each other (GW-5)."""

from __future__ import annotations

from typing import Final

__all__ = ["NEWEST", "OLDEST", "choose_protocol"]

OLDEST: Final = 3
"""Spoken by clients of spring 2026."""

NEWEST: Final = 4
"""Spoken by today's clients; adds phases, text deltas and stored messages to the events."""


def choose_protocol(*, lowest: int, highest: int) -> int | None:
    """The highest version within both ranges, None when they do not meet."""
    version = min(NEWEST, highest)
    return version if version >= max(OLDEST, lowest) else None
