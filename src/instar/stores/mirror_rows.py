"""What the mirror asks of the store and keeps in it: transcripts line by line, session rows as entries, marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from instar.core.model.fields import format_session
from instar.core.model.ids import AgentId, Instant, SessionId, SessionKey
from instar.core.model.session import Session
from instar.stores.known import TranscriptRow
from instar.stores.mirror_files import Mark
from instar.stores.mirror_places import name_transcript
from instar.stores.rows import parse_session_once, write_header
from instar.stores.transaction import Row, Transaction
from instar.stores.transcripts import find_transcript

__all__ = [
    "IndexSlice",
    "Listed",
    "Mirrored",
    "list_agents",
    "list_mirrored",
    "list_written_indices",
    "load_index_slice",
    "load_lost",
    "load_mark",
    "load_mirrored",
    "load_slice",
    "save_marks",
]

_SLICE_BYTES: Final = 4 * 1024 * 1024
"""Text read at once from one transcript; a single line may be longer."""

_INDEX_ROWS: Final = 64
"""Rows of an index made at once: about a millisecond, so that the event loop never waits long for its turn."""

_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrored:
    """A transcript as the mirror needs it. `transcript` is None when its rows are gone, `mark` when no file is known.

    `lines` are the first of those that the file lacks, by their place; the header counts as place 0.
    """

    session_id: SessionId
    transcript: TranscriptRow | None
    mark: Mark | None
    lines: Sequence[tuple[int, str]] = ()


def load_mirrored(tx: Transaction, *, wanted: Sequence[tuple[SessionId, Mark | None]]) -> list[Mirrored]:
    """Transcripts with what their files lack; a mark that is not given is the one that was stored."""
    return [_load_one(tx, session_id, mark) for session_id, mark in wanted]


def _load_one(tx: Transaction, session_id: SessionId, mark: Mark | None) -> Mirrored:
    transcript = find_transcript(tx, session_id)
    mark = mark or load_mark(tx, session_id)
    if transcript is None:
        return Mirrored(session_id=session_id, transcript=None, mark=mark)
    seq, size = (mark.seq, mark.size) if mark is not None else (-1, 0)
    return Mirrored(
        session_id=session_id, transcript=transcript, mark=mark, lines=load_slice(tx, transcript, seq=seq, size=size)
    )


def load_slice(tx: Transaction, transcript: TranscriptRow, *, seq: int, size: int) -> list[tuple[int, str]]:
    """The next lines after place `seq` of a file of `size` bytes; -1 begins with the header. Empty at the end."""
    head = [(0, write_header(transcript.head.header))] if seq < 0 else []
    params = {"transcript": transcript.id, "from_seq": max(seq, 0) + 1, "until_bytes": size + _SLICE_BYTES}
    return [*head, *((row[0], row[1]) for row in tx.all("load_slice", params))]


# --- the index --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSlice:
    """Rows of ``sessions.json`` as text, without the braces around and the comma behind; `last` is the last key."""

    text: bytes
    last: SessionKey | None


def load_index_slice(tx: Transaction, agent_id: AgentId, *, after: str) -> IndexSlice:
    """The next rows of an agent's index, by key; empty with `last` None at the end."""
    rows = tx.all("dump_sessions", {"agent_id": agent_id, "after": after, "limit": _INDEX_ROWS})
    lines = [_index_line(row[0], _index_entry(parse_session_once(row[1]))) for row in rows]
    return IndexSlice(text=b",\n".join(lines), last=rows[-1][0] if rows else None)


def _index_entry(session: Session) -> dict[str, object]:
    """What the index says of a session. The file is named without its folder: what is moved as a whole stays right."""
    entry = format_session(session)
    return {**entry, "sessionFile": name_transcript(session.key, session.session_id)}


def _index_line(key: str, entry: Mapping[str, object]) -> bytes:
    """One entry with its key, indented as a member of the whole object."""
    body = msgspec.json.format(_encode(entry), indent=2).replace(b"\n", b"\n  ")
    return b"  " + _encode(key) + b": " + body


def list_agents(tx: Transaction) -> list[AgentId]:
    """Agents that have sessions."""
    return [row[0] for row in tx.all("list_agents", {})]


# --- marks ------------------------------------------------------------------------------------------------------------


def load_mark(tx: Transaction, owner: str) -> Mark | None:
    """How the mirror left the file of a transcript, or of an index."""
    row = tx.one("load_mark", {"owner": owner})
    return Mark(path=Path(row[0]), seq=row[1], size=row[2], changed_ns=row[3]) if row is not None else None


def list_written_indices(tx: Transaction) -> list[Path]:
    """The indices that the mirror has written, also of agents that have no session any more."""
    return [Path(row[0]) for row in tx.all("list_written_indices", {})]


def save_marks(tx: Transaction, marks: Mapping[str, Mark | None]) -> None:
    """Keep marks by owner; None forgets one."""
    tx.run_many("delete_mark", [{"owner": owner} for owner, mark in marks.items() if mark is None])
    tx.run_many(
        "save_mark",
        [
            {
                "owner": owner,
                "path": str(mark.path),
                "seq": mark.seq,
                "size": mark.size,
                "changed_ns": mark.changed_ns,
            }
            for owner, mark in marks.items()
            if mark is not None
        ],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A transcript in the walk over all: where it stands, and how its file was left."""

    place: int
    session_id: SessionId
    key: SessionKey
    closed_at: Instant | None
    last_seq: int
    mark: Mark | None


def list_mirrored(tx: Transaction, *, after: int, limit: int = 500) -> list[Listed]:
    """The next of all transcripts; `place` goes on from there."""
    return [_read_listed(row) for row in tx.all("list_mirrored", {"after": after, "limit": limit})]


def _read_listed(row: Row) -> Listed:
    place, session_id, key, closed_at, last_seq, path, seq, size, changed_ns = row
    return Listed(
        place=place,
        session_id=session_id,
        key=key,
        closed_at=closed_at,
        last_seq=last_seq,
        mark=None if path is None else Mark(path=Path(path), seq=seq, size=size, changed_ns=changed_ns),
    )


def load_lost(tx: Transaction) -> list[SessionId]:
    """Transcripts that have a file and no rows any more."""
    return [row[0] for row in tx.all("list_lost_marks", {})]
