"""What lists call a session that nobody has named (ENTRY-12)."""

from __future__ import annotations

from datetime import UTC, datetime

from instar.core.model.session import Session

__all__ = ["TITLE_CHARS", "derive_title"]

TITLE_CHARS = 60
"""The longest derived title."""

_WORD_BREAK_FROM = 0.6
"""A title is cut at a blank only when that keeps at least so much of it."""


def derive_title(session: Session) -> str:
    """The session's title: display name, subject, first words, else the beginning of its id and the date."""
    naming = session.naming
    for named in (naming.display_name, naming.subject):
        if named and named.strip():
            return named.strip()
    if naming.first_words and naming.first_words.strip():
        return _shorten(" ".join(naming.first_words.split()))
    began = session.lifecycle.started_at or session.lifecycle.updated_at
    if began is None:
        return session.session_id[:8]
    day = datetime.fromtimestamp(began / 1000, tz=UTC).date().isoformat()
    return f"{session.session_id[:8]} ({day})"


def _shorten(words: str) -> str:
    """At most 60 characters, cut at a word where that is not too early, with an ellipsis."""
    if len(words) <= TITLE_CHARS:
        return words
    cut = words[: TITLE_CHARS - 1]
    blank = cut.rfind(" ")
    return (cut[:blank] if blank > TITLE_CHARS * _WORD_BREAK_FROM else cut).rstrip() + "…"
