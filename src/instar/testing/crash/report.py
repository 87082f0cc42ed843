"""The sum of a campaign, for people and for programs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from instar.testing.crash.ledger import Ledger
from instar.testing.crash.verdict import StoredWords

__all__ = ["CrashReport"]


@dataclass(slots=True, kw_only=True)
class CrashReport:
    """What was done and what was found; `findings` names every breach, and is empty when all promises held."""

    seed: int
    senders: int
    kills: int = 0
    kills_while_starting: int = 0
    starts: int = 0
    slowest_start_s: float = 0.0
    checks: int = 0
    seconds: int = 0
    harms: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    repeats: int = 0
    stored: int = 0
    answered: int = 0
    merged: int = 0
    replies: int = 0
    hand_outs: int = 0
    entries: int = 0
    recovered: int = 0
    findings: list[str] = field(default_factory=list)

    @property
    def breaches(self) -> int:
        """How many breaches were found."""
        return len(self.findings)

    def take(self, words: StoredWords, ledger: Ledger) -> None:
        """Count what was told and what is stored."""
        self.acknowledged = len(ledger.told)
        self.repeats = ledger.repeats
        self.stored = sum(len(states) for states in words.inbox.values())
        self.answered = sum(len(places) for places in words.answered.values())
        self.merged = sum(states == ["merged"] for states in words.inbox.values())
        self.replies = len(ledger.texts)
        self.hand_outs = ledger.hand_outs
        self.entries = words.entries
        self.recovered = words.recovered

    def lines(self) -> list[str]:
        """The summary, as a table in Markdown, and the breaches below it."""
        rows = {
            "kills, of them during a start": f"{self.kills}, {self.kills_while_starting}",
            "senders, seed": f"{self.senders}, {self.seed}",
            "harm done besides": ", ".join(f"{name} {count}" for name, count in sorted(self.harms.items())) or "none",
            "databases checked after a kill": f"{self.checks}",
            "messages acknowledged, attempts repeated": f"{self.acknowledged}, {self.repeats}",
            "messages stored, answered, of them together with others": f"{self.stored}, {self.answered}, {self.merged}",
            "decisions to take up what a kill cut": f"{self.recovered}",
            "replies handed out, of them again": f"{self.replies}, {self.hand_outs - self.replies}",
            "lines of transcripts": f"{self.entries}",
            "slowest start": f"{self.slowest_start_s:.1f} s",
            "time": f"{self.seconds} s",
            "breaches": f"{self.breaches}",
        }
        table = ["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows.items())]
        return [*table, *(f"- {what}" for what in self.findings)]
