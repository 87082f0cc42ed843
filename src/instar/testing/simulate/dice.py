"""Draws from a seed: the same on every machine and in every version of Python, so that a seed names one story.

The generator is SplitMix64 (Steele, Lea and Flood, 2014): one 64-bit word of state, good enough to draw stories. A seed
is mixed before it becomes the state; taken as it is, the draws of seed 8 would be those of seed 7 without the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

__all__ = ["Dice"]

T = TypeVar("T")

_MASK = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15


class Dice:
    """Draws one value after the other from a seed."""

    def __init__(self, seed: int) -> None:
        self._state = _mix(_mix(seed & _MASK) + _STEP)

    def below(self, limit: int) -> int:
        """A whole number from 0 to `limit` - 1."""
        self._state = (self._state + _STEP) & _MASK
        return _mix(self._state) % limit

    def between(self, least: int, most: int) -> int:
        """A whole number, both ends included."""
        return least + self.below(most - least + 1)

    def chance(self, percent: int) -> bool:
        """True in so many of a hundred draws."""
        return self.below(100) < percent

    def pick(self, values: Sequence[T]) -> T:
        """One of the values, each as likely as another."""
        return values[self.below(len(values))]

    def weighted(self, values: Sequence[tuple[int, T]]) -> T:
        """One of the values; each comes as often as its weight says."""
        at = self.below(sum(weight for weight, _ in values))
        for weight, value in values:
            at -= weight
            if at < 0:
                return value
        return values[-1][1]


def _mix(word: int) -> int:
    """The finaliser of SplitMix64: every bit of the result depends on every bit of the word."""
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & _MASK
    return word ^ (word >> 31)
