"""What came of a compaction that somebody waits for (COMPACT-20)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Compacted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compacted:
    """The outcome. ``skipped`` means that there was nothing to do, `why` is a sentence; sizes are tokens."""

    status: Literal["compacted", "skipped", "failed"]
    why: str = ""
    tokens_before: int = 0
    tokens_after: int = 0
