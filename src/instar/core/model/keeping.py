"""What comes from outside the database or is kept there: imports, archives, backups (STORE-6, LOSS-8, LOSS-12)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from instar.core.model.entry import AnyEntry, Header
from instar.core.model.ids import SessionId, SessionKey
from instar.core.model.session import Session

__all__ = ["ArchivedTranscript", "ImportedTranscript", "RestoredSession", "StoredBackup"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedTranscript:
    """An archive that was read. `session` is the row as it was then, None where the archive does not tell it.

    `findings` tell, line by line, what could not be read or had to be mended.
    """

    path: str
    header: Header
    entries: tuple[AnyEntry, ...]
    session: Session | None = None
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedTranscript:
    """What became of a foreign transcript (STORE-6). `stored` is False when its session id was stored before.

    `findings` tell, line by line, what could not be read or had to be mended; `from_version` is the version it had.
    """

    key: SessionKey
    session_id: SessionId
    stored: bool
    entries: int
    from_version: int
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredSession:
    """What came back under a key. `session_ids` are the transcripts that were stored, none when all were known.

    `findings` tell, archive by archive and line by line, what could not be read or had to be mended (LOSS-10).
    """

    key: SessionKey
    session_ids: tuple[SessionId, ...]
    archives: tuple[str, ...]
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBackup:
    """A backup that was written and read back; sizes in bytes, `counts` by table."""

    path: str
    size_bytes: int
    files: int
    counts: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
