"""Databases of later OpenClaw versions: their sessions, transcripts, archives, jobs and approvals (STORE-6).

What belongs here: questions to their tables. What does not: what becomes of the answers (`later`). A database is
recognised by its tables, not by its name or version; a table that is not there, or has other columns, is passed over.

The source is never opened: even reading would leave files beside it. A copy with its log is.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import apsw
import msgspec
import zstandard

__all__ = ["LaterArchive", "LaterSession", "OpenedDatabase", "open_copy"]

_LINE_MAX_BYTES: Final = 64 * 1024 * 1024
_ARCHIVE_MAX_BYTES: Final = 1024 * 1024 * 1024

_COLUMNS: Final[Mapping[str, frozenset[str]]] = {
    "session_nodes": frozenset({"session_key", "current_session_id", "entry_json"}),
    "session_windows": frozenset({"session_id", "session_key"}),
    "transcript_events": frozenset({"session_id", "seq", "event_json", "created_at"}),
    "session_transcript_archives": frozenset(
        {"session_id", "session_key", "reason", "encoding", "archive_blob", "archive_name"}
    ),
    "cron_jobs": frozenset({"job_id", "job_json", "state_json"}),
    "cron_run_receipts": frozenset({"job_id", "status", "started_at_ms", "finished_at_ms", "error_text"}),
    "channel_pairing_allow_entries": frozenset({"channel_key", "account_id", "entry"}),
}
"""What is asked of each table."""

_NODE_FIELDS: Final[Mapping[str, str]] = {
    "label": "label",
    "display_name": "displayName",
    "spawned_by": "spawnedBy",
    "pinned_at": "pinnedAt",
    "archived_at": "archivedAt",
    "last_read_at": "lastReadAt",
    "last_interaction_at": "lastInteractionAt",
    "last_activity_at": "lastActivityAt",
    "updated_at": "updatedAt",
}
"""Columns of a session's row beside its fields, and what they are called among these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterSession:
    """A row of sessions. `problem` says what of it could not be read."""

    key: str
    session_id: str
    fields: Mapping[str, object] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterArchive:
    """A transcript that was put aside; `lines` is its text as a file would hold it."""

    key: str
    session_id: str
    name: str
    lines: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedDatabase:
    """One database while it is open. `tables` are those that are there and have the columns that are asked for."""

    connection: apsw.Connection
    tables: frozenset[str]

    @property
    def has_sessions(self) -> bool:
        """Whether it holds an agent's sessions."""
        return {"session_nodes", "transcript_events"} <= self.tables

    def sessions(self) -> Iterator[LaterSession]:
        """Every session, the one that was used last first."""
        names = self._columns("session_nodes")
        rows = self.connection.execute("SELECT * FROM session_nodes ORDER BY session_key")
        found = [_read_session(dict(zip(names, row, strict=True))) for row in rows]
        yield from sorted(found, key=_used_at, reverse=True)

    def transcripts(self) -> Iterator[tuple[str, str]]:
        """Session id and key of every transcript that has lines; the key is empty for one that no session claims."""
        if "session_windows" not in self.tables:
            yield from ((str(row[0]), "") for row in self._ask("SELECT DISTINCT session_id FROM transcript_events"))
            return
        query = (
            "SELECT DISTINCT e.session_id, COALESCE(w.session_key, '') FROM transcript_events AS e"
            " LEFT JOIN session_windows AS w ON w.session_id = e.session_id ORDER BY e.session_id"
        )
        yield from ((str(row[0]), str(row[1])) for row in self._ask(query))

    def lines(self, session_id: str) -> Iterator[bytes]:
        """The lines of a transcript in order; one that cannot be unpacked comes as it cannot be read."""
        packed = "event_zstd" if "event_zstd" in self._columns("transcript_events") else "NULL"
        query = f"SELECT event_json, {packed} FROM transcript_events WHERE session_id = ? ORDER BY seq"  # noqa: S608 - one of two words
        for text, blob in self.connection.execute(query, (session_id,)):
            yield text.encode("utf-8", "replace") if isinstance(text, str) else _unpack(blob, _LINE_MAX_BYTES)

    def archives(self) -> Iterator[LaterArchive]:
        """The transcripts that were put aside and are in the database as a whole."""
        if "session_transcript_archives" not in self.tables:
            return
        query = "SELECT session_key, session_id, archive_name, encoding, archive_blob FROM session_transcript_archives"
        for key, session_id, name, encoding, blob in self._ask(f"{query} ORDER BY archive_name"):
            plain = blob if isinstance(blob, bytes) else b""
            lines = _unpack(blob, _ARCHIVE_MAX_BYTES) if encoding == "zstd" else plain
            yield LaterArchive(key=str(key), session_id=str(session_id), name=str(name), lines=lines)

    def jobs(self) -> list[Mapping[str, object]]:
        """The scheduled jobs, each with its state; what is no object comes as an empty one."""
        if "cron_jobs" not in self.tables:
            return []
        rows = self._ask("SELECT job_id, job_json, state_json FROM cron_jobs ORDER BY job_id")
        return [{**_object(job), "id": job_id, "state": _object(state)} for job_id, job, state in rows]

    def runs(self) -> list[Mapping[str, object]]:
        """What jobs did, in the words of the files that earlier versions wrote."""
        if "cron_run_receipts" not in self.tables:
            return []
        rows = self._ask(
            "SELECT job_id, status, started_at_ms, finished_at_ms, error_text FROM cron_run_receipts"
            " WHERE finished_at_ms IS NOT NULL ORDER BY started_at_ms, job_id"
        )
        return [
            {
                "ts": finished,
                "jobId": job_id,
                "action": "finished",
                "status": status,
                "runAtMs": started,
                "durationMs": int(finished or 0) - int(started or 0),
                **({"error": error} if error else {}),
            }
            for job_id, status, started, finished, error in rows
        ]

    def approvals(self) -> list[tuple[str, str, str]]:
        """Channel, account and entry of everybody who was let in."""
        if "channel_pairing_allow_entries" not in self.tables:
            return []
        rows = self._ask("SELECT channel_key, account_id, entry FROM channel_pairing_allow_entries ORDER BY 1, 2, 3")
        return [(str(channel), str(account), str(entry)) for channel, account, entry in rows]

    def _ask(self, query: str) -> list[tuple[apsw.SQLiteValue, ...]]:
        return list(self.connection.execute(query))

    def _columns(self, table: str) -> list[str]:
        return [str(row[1]) for row in self.connection.execute(f"PRAGMA table_info({table})")]


@contextmanager
def open_copy(path: Path, folder: Path) -> Iterator[OpenedDatabase]:
    """A copy of a database with its log, opened below `folder`. Blocking. Raises apsw.Error, OSError."""
    copy = folder / path.name
    shutil.copyfile(path, copy, follow_symlinks=False)
    log = path.with_name(f"{path.name}-wal")
    if log.is_file() and not log.is_symlink():
        shutil.copyfile(log, copy.with_name(f"{copy.name}-wal"), follow_symlinks=False)
    connection = apsw.Connection(str(copy))
    try:
        names = [str(row[0]) for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables = {
            name
            for name in names
            if name in _COLUMNS
            and _COLUMNS[name] <= {str(row[1]) for row in connection.execute(f"PRAGMA table_info({name})")}
        }
        yield OpenedDatabase(connection=connection, tables=frozenset(tables))
    finally:
        connection.close()
        for left in folder.glob(f"{path.name}*"):
            left.unlink(missing_ok=True)


def _read_session(row: Mapping[str, object]) -> LaterSession:
    key, session_id = str(row["session_key"]), str(row["current_session_id"])
    fields = _object(row["entry_json"])
    if not fields:
        return LaterSession(key=key, session_id=session_id, problem="its fields cannot be read")
    beside = {name: row[column] for column, name in _NODE_FIELDS.items() if row.get(column) is not None}
    return LaterSession(
        key=key, session_id=session_id, fields={**beside, **_with_delivery(fields), "sessionId": session_id}
    )


def _with_delivery(fields: Mapping[str, object]) -> dict[str, object]:
    """The fields of an entry with the way back under the names that it had before (ENTRY-2, ENTRY-3)."""
    known = {name: value for name, value in fields.items() if name != "delivery"}
    delivery = fields.get("delivery")
    if not isinstance(delivery, Mapping):
        return known
    origin, context = delivery.get("origin"), delivery.get("context")
    if isinstance(origin, Mapping):
        known.setdefault("origin", dict(origin))
    if isinstance(context, Mapping) and context.get("channel"):
        known.setdefault("deliveryContext", dict(context))
        for name, value in context.items():
            known.setdefault(f"last{name[:1].upper()}{name[1:]}", value)
    return known


def _used_at(session: LaterSession) -> float:
    at = session.fields.get("updatedAt")
    return at if isinstance(at, (int, float)) and not isinstance(at, bool) else 0


def _object(text: object) -> dict[str, object]:
    """The JSON object that a text holds; an empty one for anything else."""
    try:
        value: object = msgspec.json.decode(text) if isinstance(text, (str, bytes)) else None
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _unpack(blob: object, most_bytes: int) -> bytes:
    """What a packed text holds; nothing readable for one that is damaged or unpacks to more than that."""
    if not isinstance(blob, bytes):
        return b"?"
    try:
        with zstandard.ZstdDecompressor().stream_reader(blob) as stream:
            text = stream.read(most_bytes + 1)
    except zstandard.ZstdError:
        return b"?"
    return text if len(text) <= most_bytes else b"?"
