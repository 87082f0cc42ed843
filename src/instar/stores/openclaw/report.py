"""What became of each item of an import, for people and programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["ImportItem", "ItemKind", "ItemStatus", "StateReport"]

ItemKind = Literal[
    "session", "transcript", "archive", "index", "memory", "config", "cron", "pairing", "database", "path"
]

ItemStatus = Literal["imported", "would-import", "known", "copied", "would-copy", "kept", "noted", "refused", "damaged"]
"""`known`: stored before. `copied`: its bytes lie in the state directory now, where `detail` says. `kept`: the place
holds something else, which stays. `noted`: a person has to look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportItem:
    """One line of the report. `source` is a path below the imported directory; `line` counts from 1, 0 for none."""

    kind: ItemKind
    status: ItemStatus
    source: str
    detail: str = ""
    key: str = ""
    line: int = 0


@dataclass(slots=True, kw_only=True)
class StateReport:
    """Everything that was found, in the order in which it was looked at."""

    root: str
    is_dry_run: bool
    items: list[ImportItem] = field(default_factory=list)

    def counts(self) -> Mapping[str, int]:
        """How many items there are of each ``kind status``."""
        return Counter(f"{item.kind} {item.status}" for item in self.items)
