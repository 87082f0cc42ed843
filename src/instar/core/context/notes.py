"""Daily notes: written before a summary, told to a conversation that starts over (FLUSH-4, CMD-10, MEM-8).

What belongs here: which files of an agent's `memory` folder are of today and yesterday, which one may be written to,
and how the model is told of them. What does not: reading and writing them. The invariant: notes come from the agent's
main session alone, and are told there alone. They do not say whose words they hold, so nobody else's conversation may
see them or speak through them (LEAK-6).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Final

__all__ = ["NOTES_LIMIT_CHARS", "SEALED_NOTE", "build_notes_text", "choose_note", "choose_notes"]

NOTES_LIMIT_CHARS: Final = 20_000
"""What of all notes together the model is told at most."""

SEALED_NOTE: Final = ".sealed"
"""Ends the name of a note that is kept encrypted, beside the one that a person may write under the name without it."""

_WRITTEN: Final = re.compile(r"(?:\./)?(?:memory/)?(\d{4}-\d{2}-\d{2})((?:-\w[\w-]{0,59})?)\.md", re.ASCII).fullmatch
"""A note that may be written to: no dots, blanks or slashes of its own, so that no name leads out of the folder."""

_NAME: Final = re.compile(r"(\d{4}-\d{2}-\d{2})(?:-[^/]*)?\.md", re.ASCII).fullmatch


def choose_notes(names: Iterable[str], *, today: date) -> tuple[str, ...]:
    """The names ``YYYY-MM-DD[-slug].md``, sealed or not, that are of yesterday or today, the older first."""
    days = {(today - timedelta(days=1)).isoformat(), today.isoformat()}
    chosen = (name for name in names if (found := _NAME(name.removesuffix(SEALED_NOTE))) and found[1] in days)
    return tuple(sorted(chosen))


def choose_note(path: str, *, today: date) -> str | None:
    """The name in the `memory` folder of the note of today that `path` means; None for any other file.

    A blank path is today's note. ``memory/2026-03-01-travel.md`` is one of several of that day.
    """
    if not path.strip():
        return f"{today.isoformat()}.md"
    found = _WRITTEN(path.strip())
    return f"{found[1]}{found[2]}.md" if found and found[1] == today.isoformat() else None


def build_notes_text(notes: Sequence[tuple[str, str]]) -> str:
    """Names and texts as the model is told of them; empty if nothing is written. What is too long loses its start."""
    named = ((name.removesuffix(SEALED_NOTE), text.strip()) for name, text in notes)
    told = "\n\n".join(f"## memory/{name}\n\n{text}" for name, text in named if text)
    if not told:
        return ""
    if len(told) > NOTES_LIMIT_CHARS:
        told = f"[earlier notes are left out]\n{told[-NOTES_LIMIT_CHARS:]}"
    return f"# Notes of today and yesterday\n\n{told}"
