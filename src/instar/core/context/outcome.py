"""What came of a compaction that was tried (COMPACT-20)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Compacted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compacted:
    """The outcome. ``skipped`` means that there was nothing to do, ``resting`` that the last attempts have failed and
    it is not time for another; `why` is a sentence. Sizes are tokens, `window_tokens` is the window's, None if nobody
    knows it; `count` are the compactions of the session so far. `archived` is where a copy of the whole was put before,
    empty where none was.
    """

    status: Literal["compacted", "skipped", "resting", "failed"]
    why: str = ""
    tokens_before: int = 0
    tokens_after: int = 0
    window_tokens: int | None = None
    count: int = 0
    archived: str = ""
