"""What a writer knows of sessions without asking the database again.

An engine whose connection is the only one that writes may keep what it wrote; then most turns read nothing before
they write. It forgets everything as soon as anything is taken back. Engines with other writers keep nothing.

Whatever writes a session or one of its transcripts forgets it here (`sessions`, `transcripts`); only the one
transaction that knows all of a session afterwards (`change`) puts it back.
"""

from __future__ import annotations

from dataclasses import dataclass

from instar.core.model.change import TranscriptHead
from instar.core.model.ids import SessionKey
from instar.core.model.session import Session

__all__ = ["Known", "TranscriptRow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptRow:
    """The head of a transcript with what only the store knows of it: its row and the place of its leaf, 0 if none."""

    id: int
    leaf_seq: int
    head: TranscriptHead


class Known:
    """Sessions with their current transcripts as they are in the database now, at most `limit` of them; 0 keeps none.

    `fence` is the newest fence, None while it is not known.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._sessions: dict[SessionKey, tuple[Session, TranscriptRow | None]] = {}
        self.fence: int | None = None

    def get(self, key: SessionKey) -> tuple[Session, TranscriptRow | None] | None:
        """A session that is known to be so, None for one that must be asked for."""
        return self._sessions.get(key)

    def put(self, key: SessionKey, session: Session, transcript: TranscriptRow | None) -> None:
        """Keep a session as it was just written or read; the oldest gives way."""
        if not self._limit:
            return
        self._sessions[key] = (session, transcript)
        if len(self._sessions) > self._limit:
            del self._sessions[next(iter(self._sessions))]

    def forget(self, key: SessionKey) -> None:
        """Ask for this session next time."""
        self._sessions.pop(key, None)

    def forget_all(self) -> None:
        """Ask for everything next time."""
        self._sessions.clear()
        self.fence = None
