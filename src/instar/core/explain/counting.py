"""How a number of things is said to a person: ``1 reply``, ``2 replies``."""

from __future__ import annotations

__all__ = ["count_of"]


def count_of(number: int, one: str, many: str = "") -> str:
    """`number` with the words for one thing, or for none and several: `many`, by default `one` with an s."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"
