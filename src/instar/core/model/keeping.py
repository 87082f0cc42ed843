"""What is kept outside the database: archives of deleted sessions, backups (LOSS-8, LOSS-12)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from instar.core.model.entry import AnyEntry, Header
from instar.core.model.ids import SessionId, SessionKey
from instar.core.model.session import Session

__all__ = ["ArchivedTranscript", "RestoredSession", "StoredBackup"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedTranscript:
    """An archive that was read. `session` is the row as it was then, None where the archive does not tell it."""

    path: str
    header: Header
    entries: tuple[AnyEntry, ...]
    session: Session | None = None
    unreadable_lines: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredSession:
    """What came back under a key. `session_ids` are the transcripts that were stored, none when all were known."""

    key: SessionKey
    session_ids: tuple[SessionId, ...]
    archives: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBackup:
    """A backup that was written and read back; sizes in bytes, `counts` by table."""

    path: str
    size_bytes: int
    files: int
    counts: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
