"""An old copy of a store: what is sealed under keys that were destroyed since is taken out of it (LEAK-11).

A store knows of how many destroyed keys it was cleaned. When the ring has more, the store is older than an erasure:
nobody can read those cells any more, and they would stand in the way of everything else.

* a session of which nothing can be opened goes with its transcripts; one that others had a part in goes on, with a row
  and headers that say no more than its other columns do;
* a line in a transcript of others is replaced by a sentence, so that the tree and the cuts of compactions hold;
* a row of any other table goes.

Only cells of keys that the ring calls destroyed are touched. A key that the ring does not know at all is no reason to
remove anything: the ring itself may be the older copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from instar.core.context.erasing import WORDS_ERASED
from instar.core.model.entry import Header, MessageEntry, UserMessage
from instar.core.model.session import Lifecycle, Session
from instar.stores.rows import format_line, format_session, line_bytes, session_columns, write_header
from instar.stores.sealing.columns import SEALED
from instar.stores.sealing.ring import Ring
from instar.stores.sealing.statements import build_change

if TYPE_CHECKING:
    import apsw

__all__ = ["GONE_NAME", "clean_copy"]

GONE_NAME: Final = "sealing_gone"
"""The name in `meta` of the number of destroyed keys that a store was cleaned of."""

_Row = tuple[Any, ...]
"""Columns as a STRICT table has them. `Any`: each has the type that the query's column has there."""

_ROWS: Final = ("inbox", "outbox", "decisions", "pairings", "pairing_codes", "run_lines")
"""Tables whose rows stand by themselves."""


def clean_copy(connection: apsw.Connection, ring: Ring) -> int:
    """Take out what nobody can read any more, all of it in one transaction; how many rows. Needs seals on it.

    A store that is level with its ring is left at once.
    """
    known = connection.execute("SELECT value FROM main.meta WHERE name = ?", (GONE_NAME,)).get
    if known == str(len(ring.gone)):
        return 0
    with connection:
        done = _drop_sessions(connection) + _drop_transcripts(connection) + _replace_lines(connection)
        for table in _ROWS:
            gone = " OR ".join(f"instar_gone({column})" for column in SEALED[table].columns)
            connection.execute(f"DELETE FROM main.{table} WHERE {gone}")  # noqa: S608 - names of our own
            done += connection.changes()
        note_gone(connection, ring)
    return done


def note_gone(connection: apsw.Connection, ring: Ring) -> None:
    """The store has nothing any more of the keys that are destroyed by now."""
    connection.execute("INSERT OR REPLACE INTO main.meta (name, value) VALUES (?, ?)", (GONE_NAME, str(len(ring.gone))))


def _drop_sessions(connection: apsw.Connection) -> int:
    """Rows of sessions: one that others had a part in goes on with what can be read of it without the row."""
    found: list[_Row] = connection.execute(
        "SELECT key, agent_id, session_id, kind, archived, owner, updated_at FROM main.sessions"
        " WHERE instar_gone(fields)"
    ).fetchall()
    change = build_change("sessions", given={"fields": ":fields", "names": ":names"})
    for key, agent_id, session_id, kind, archived, owner, updated_at in found:
        if owner is None and _has_readers(connection, key):
            lifecycle = Lifecycle(updated_at=updated_at, archived_at=updated_at if archived else None)
            session = Session(key=key, agent_id=agent_id, session_id=session_id, lifecycle=lifecycle)
            row = {"key": key, "fields": format_session(session), "names": session_columns(session)["names"]}
            connection.execute(f"{change}, label = NULL WHERE key = :key", row)
            continue
        connection.execute("DELETE FROM main.sessions WHERE key = ?", (key,))
        connection.execute(
            "UPDATE main.session_counts SET sessions = sessions - 1 WHERE agent_id = ? AND kind = ? AND archived = ?",
            (agent_id, kind, archived),
        )
    return len(found)


def _has_readers(connection: apsw.Connection, key: object) -> bool:
    """Whether a session has lines or messages that can still be read: then it was not the erased person's alone."""
    query = (
        "SELECT EXISTS (SELECT 1 FROM main.entries AS e JOIN main.transcripts AS t ON t.id = e.transcript"
        " WHERE t.key = :key AND NOT instar_gone(e.line))"
        " OR EXISTS (SELECT 1 FROM main.inbox WHERE session_key = :key AND NOT instar_gone(submission))"
    )
    return bool(connection.execute(query, {"key": key}).get)


def _drop_transcripts(connection: apsw.Connection) -> int:
    """Transcripts of which the header cannot be read: those that others had a part in get a plain one."""
    found: list[_Row] = connection.execute(
        "SELECT id, session_id, key, began_at FROM main.transcripts WHERE instar_gone(header)"
    ).fetchall()
    change = build_change("transcripts", given={"header": ":header"})
    for row_id, session_id, key, began_at in found:
        if _has_readers(connection, key):
            header = Header(id=session_id, timestamp=began_at)
            connection.execute(f"{change} WHERE id = :id", {"id": row_id, "header": write_header(header)})
            continue
        connection.execute("DELETE FROM main.entries WHERE transcript = ?", (row_id,))
        connection.execute("DELETE FROM main.transcripts WHERE id = ?", (row_id,))
        connection.execute("DELETE FROM main.mirror WHERE owner = ?", (session_id,))
    return len(found)


def _replace_lines(connection: apsw.Connection) -> int:
    """Lines of somebody who was erased in transcripts of others."""
    lost: list[_Row] = connection.execute(
        "SELECT e.transcript, e.seq, e.id, p.id, e.at FROM main.entries AS e"
        " LEFT JOIN main.entries AS p ON p.transcript = e.transcript AND p.seq = e.parent_seq"
        " WHERE instar_gone(e.line)"
    ).fetchall()
    change = build_change("entries", given={"line": ":line"})
    for transcript, seq, entry_id, parent_id, at in lost:
        message = UserMessage(content=WORDS_ERASED, timestamp=at)
        line = format_line(MessageEntry(id=entry_id, parent_id=parent_id, timestamp=at, message=message))
        row = {"line": line.text, "transcript": transcript, "seq": seq}
        connection.execute(f"{change} WHERE transcript = :transcript AND seq = :seq", row)
        connection.execute(
            "UPDATE main.entries SET type = :type, tokens = :tokens WHERE transcript = :transcript AND seq = :seq",
            {"type": line.type, "tokens": line.tokens, "transcript": transcript, "seq": seq},
        )
    for transcript in {row[0] for row in lost}:
        _sum_again(connection, transcript)
    return len(lost)


def _sum_again(connection: apsw.Connection, transcript: object) -> None:
    """The size of a transcript's file up to the end of each line."""
    header = connection.execute("SELECT header FROM transcripts WHERE id = ?", (transcript,)).get
    size = line_bytes(str(header))
    rows = connection.execute(
        "SELECT seq, line FROM entries WHERE transcript = ? ORDER BY seq", (transcript,)
    ).fetchall()
    for seq, line in rows:
        size += line_bytes(str(line))
        connection.execute(
            "UPDATE main.entries SET bytes = ? WHERE transcript = ? AND seq = ?", (size, transcript, seq)
        )
