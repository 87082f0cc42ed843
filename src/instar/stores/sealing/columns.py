"""Which columns are sealed, under whose key, and what names their row (docs/formats/database.md, "What is sealed").

Everything that people, agents or platforms say is sealed; who, where, when and how much is not, since rows are found,
sorted and counted by it. A test holds this list against the columns that an erasure counts as words.

Expressions are SQL; ``{column}`` stands for the plain value of a column of the row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["SEALED", "SealedTable", "person", "session"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedTable:
    """A table with sealed columns. `place` names its row as long as it lives, `subject` whose key seals it.

    `columns` gives for each sealed column what stands for it where it cannot be opened: None leaves the cell, which no
    reader of JSON takes for anything else. `hashed` columns hold a keyed hash, to be found by. `codes` are sealed
    columns that may hold a plain word of our own as well.
    """

    place: tuple[str, ...]
    subject: str
    columns: Mapping[str, str | None]
    hashed: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()


def person(name: str) -> str:
    """Whose key seals what belongs to a principal, or was written under an id of a channel (``telegram:123``)."""
    return f"person:{name.strip().lower()}"


def session(key: str) -> str:
    """Whose key seals what belongs to nobody but a session."""
    return f"session:{key}"


_OF_SESSION: Final = "COALESCE((SELECT instar_person(owner) FROM main.sessions WHERE key = {key}), 'session:' || {key})"
"""The owner of a session, else the session itself."""

_LOST: Final = "[encrypted, and its key is gone]"
"""What is told instead of a text that cannot be opened."""


def _of_session(column: str) -> str:
    return _OF_SESSION.replace("{key}", f"{{{column}}}")


_OF_PEER: Final = (
    "CASE WHEN {chat_type} = 'direct' THEN instar_person({channel} || ':' || {peer_id}) ELSE "
    + _of_session("session_key")
    + " END"
)

_OF_LINE: Final = (
    "COALESCE((SELECT instar_person(s.owner) FROM main.transcripts AS t JOIN main.sessions AS s"
    " ON s.key = t.key WHERE t.id = {transcript}),"
    " CASE WHEN {type} = 'message' THEN instar_author({line}, (SELECT json_group_array(submission)"
    " FROM inbox WHERE state IN ('waiting', 'running') AND ended_at IS NULL"
    " AND +session_key = (SELECT key FROM main.transcripts WHERE id = {transcript}))) END,"
    " (SELECT 'session:' || key FROM main.transcripts WHERE id = {transcript}), 'gateway')"
)
"""The owner of the session; else whoever wrote the message that the line is made of, which has not ended then; else the
session.
"""

SEALED: Final[Mapping[str, SealedTable]] = {
    "sessions": SealedTable(
        place=("key",),
        subject="COALESCE(instar_person({owner}), 'session:' || {key})",
        columns={"fields": None, "names": ""},
        hashed=("label",),
    ),
    "transcripts": SealedTable(
        place=("session_id",),
        subject=_of_session("key"),
        columns={"header": '{"type":"session","version":3,"id":"%s","cwd":""}'},
    ),
    "entries": SealedTable(place=("transcript", "seq"), subject=_OF_LINE, columns={"line": None}),
    "inbox": SealedTable(
        place=("inbound_id",),
        subject="instar_writer({submission})",
        columns={"submission": None, "attachments": None, "acceptance": None, "acknowledgement": None},
    ),
    "outbox": SealedTable(
        place=("delivery_id",),
        subject=_of_session("session_key"),
        columns={"text": _LOST, "reason": _LOST},
        codes=("reason",),
    ),
    "decisions": SealedTable(
        place=("at", "session_key", "inbound_id", "turn_id", "kind"),
        subject=f"COALESCE({_of_session('session_key')}, 'gateway')",
        columns={"inputs": '{"encrypted":"its key is gone"}'},
    ),
    "pairings": SealedTable(
        place=("channel", "account_id", "chat_type", "peer_id"), subject=_OF_PEER, columns={"name": _LOST}
    ),
    "pairing_codes": SealedTable(place=("code",), subject=_OF_PEER, columns={"name": _LOST}),
    "run_lines": SealedTable(place=("turn_id", "place"), subject=_of_session("session_key"), columns={"line": None}),
}
"""Every table with sealed columns."""
