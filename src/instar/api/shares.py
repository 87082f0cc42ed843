"""Things that are kept for callers up to a limit, so that no caller can use up the room of all (LEAK-3).

What belongs here: values by holder and key, and letting go of the oldest of whoever holds most. What does not: whose
entry goes, which is a decision (`instar.core.policy.rate.decide_leaver`), and when an entry is too old.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from instar.core.policy.rate import ShareSettings, decide_leaver

__all__ = ["Shares"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Shares(Generic[K, V]):
    """Values by key, each held by somebody, the oldest first.

    `may_go` says of a value whether it may be let go of; one that may not stays beyond the limit.
    """

    def __init__(self, settings: ShareSettings, *, may_go: Callable[[V], bool] = lambda _: True) -> None:
        self._settings = settings
        self._may_go = may_go
        self._kept: OrderedDict[K, tuple[str, V]] = OrderedDict()
        self._of: dict[str, OrderedDict[K, None]] = {}

    def put(self, holder: str, key: K, value: V) -> None:
        """Keep a value as the newest of its holder; the oldest of whoever holds too many goes."""
        self.pop(key)
        self._kept[key] = (holder, value)
        self._of.setdefault(holder, OrderedDict())[key] = None
        held = {name: len(keys) for name, keys in self._of.items()}
        leaver = decide_leaver(held, newest=holder, settings=self._settings)
        if leaver is not None:
            gone = next((one for one in self._of[leaver] if one != key and self._may_go(self._kept[one][1])), None)
            if gone is not None:
                self.pop(gone)

    def get(self, key: K) -> V | None:
        """The value of a key; None if there is none."""
        found = self._kept.get(key)
        return None if found is None else found[1]

    def pop(self, key: K) -> V | None:
        """The value of a key, which is kept no longer; None if there is none."""
        found = self._kept.pop(key, None)
        if found is None:
            return None
        holder, value = found
        del self._of[holder][key]
        if not self._of[holder]:
            del self._of[holder]
        return value

    def oldest(self) -> tuple[K, V] | None:
        """The key that was put longest ago, with its value; None for nothing."""
        for key, (_, value) in self._kept.items():
            return key, value
        return None
