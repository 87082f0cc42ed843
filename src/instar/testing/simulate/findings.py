"""What went wrong: promises that a story saw broken, each by the rule that makes the promise."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Broken", "Findings"]

FINDINGS_MAX = 50
"""After so many a story has said enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A promise that was not kept: its rule, what was seen, and after which step (from 1; 0 before the first)."""

    rule: str
    text: str
    step: int = 0


class Findings:
    """Collects what is broken while a story is played."""

    def __init__(self) -> None:
        self.all: list[Broken] = []
        self.step = 0

    def report(self, rule: str, text: str) -> None:
        """Note a broken promise."""
        if len(self.all) < FINDINGS_MAX:
            self.all.append(Broken(rule=rule, text=text, step=self.step))

    def require(self, holds: bool, rule: str, text: str) -> None:  # noqa: FBT001 - reads as an assertion
        """Note it unless it holds."""
        if not holds:
            self.report(rule, text)
