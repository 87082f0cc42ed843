"""Daily notes for a conversation that starts over (CMD-10, MEM-8).

What belongs here: which files of an agent's `memory` folder are of today and yesterday, and how the model is told of
them. What does not: reading them, and writing them. The invariant: notes are told in the agent's main session alone.
They do not say whose words they hold, so nobody else's conversation may see them (LEAK-6).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Final

__all__ = ["NOTES_LIMIT_CHARS", "build_notes_text", "choose_notes"]

NOTES_LIMIT_CHARS: Final = 20_000
"""What of all notes together the model is told at most."""

_NAME: Final = re.compile(r"(\d{4}-\d{2}-\d{2})(?:-[^/]*)?\.md", re.ASCII).fullmatch


def choose_notes(names: Iterable[str], *, today: date) -> tuple[str, ...]:
    """The names ``YYYY-MM-DD[-slug].md`` that are of yesterday or today, the older first."""
    days = {(today - timedelta(days=1)).isoformat(), today.isoformat()}
    return tuple(sorted(name for name in names if (found := _NAME(name)) and found[1] in days))


def build_notes_text(notes: Sequence[tuple[str, str]]) -> str:
    """Names and texts as the model is told of them; empty if nothing is written. What is too long loses its start."""
    told = "\n\n".join(f"## memory/{name}\n\n{text.strip()}" for name, text in notes if text.strip())
    if not told:
        return ""
    if len(told) > NOTES_LIMIT_CHARS:
        told = f"[earlier notes are left out]\n{told[-NOTES_LIMIT_CHARS:]}"
    return f"# Notes of today and yesterday\n\n{told}"
