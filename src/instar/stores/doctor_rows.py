"""Rows that contradict each other, rows that cannot be read, and what waits for a person (LOSS-10). Only read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import apsw
import msgspec

from instar.core.explain.counting import count_of
from instar.errors import StoreUnreadable
from instar.stores.doctor_finding import DoctorFinding, Severity, build_note, tell_names
from instar.stores.rows import parse_session

__all__ = ["check_rows"]

_QUESTIONS: Final[tuple[tuple[str, Severity, str, tuple[str, str], str], ...]] = (
    (
        "session-without-transcript",
        "warning",
        (
            "SELECT key FROM sessions AS s WHERE NOT EXISTS"
            " (SELECT 1 FROM transcripts AS t WHERE t.key = s.key AND t.closed_at IS NULL)"
        ),
        ("session has no current transcript", "sessions have no current transcript"),
        "Write to one of them, or run `instar sessions cleanup --fix-missing`; `/resume` brings an older life back.",
    ),
    (
        "session-and-transcript-differ",
        "critical",
        (
            "SELECT s.key FROM sessions AS s JOIN transcripts AS t ON t.key = s.key AND t.closed_at IS NULL"
            " WHERE t.session_id <> s.session_id"
        ),
        (
            "session is not of the same id as its current transcript",
            "sessions are not of the same id as their current transcripts",
        ),
        "Make a backup, then `/reset` each of them: the words stay in its history.",
    ),
    (
        "transcript-without-session",
        "note",
        (
            "SELECT DISTINCT key FROM transcripts WHERE key NOT IN (SELECT key FROM sessions)"
            " AND close_reason IS NOT 'staged'"
        ),
        ("session key has transcripts and no session", "session keys have transcripts and no session"),
        "They were deleted with their transcripts kept; a message under the key, or nothing, is all they need.",
    ),
    (
        "import-cut-off",
        "note",
        "SELECT session_id FROM transcripts WHERE close_reason = 'staged' AND session_id NOT LIKE 'removed:%'",
        ("transcript is not imported as a whole", "transcripts are not imported as a whole"),
        "Nobody sees a part of one. Where no import runs, the next start takes it away: then import the file again.",
    ),
    (
        "import-unfinished",
        "warning",
        "SELECT name FROM meta WHERE name = 'import_under_way'",
        ("import of an export has not come to its end", "imports of an export have not come to their end"),
        "Run `instar import export` with the same folder again before a gateway starts: it goes on where it was.",
    ),
    (
        "deletion-cut-off",
        "note",
        "SELECT session_id FROM transcripts WHERE close_reason = 'staged' AND session_id LIKE 'removed:%'",
        ("transcript of a deleted session still has lines", "transcripts of deleted sessions still have lines"),
        "Nobody sees them. A gateway that runs takes them away piece by piece; else the next start goes on with it.",
    ),
    (
        "lines-without-transcript",
        "critical",
        "SELECT DISTINCT transcript FROM entries WHERE transcript NOT IN (SELECT id FROM transcripts)",
        ("transcript is gone while its lines are there", "transcripts are gone while their lines are there"),
        "Make a backup and report it: a transaction was not whole.",
    ),
    (
        "delivery-unknown",
        "warning",
        "SELECT delivery_id FROM outbox WHERE state = 'unknown' AND ended_at IS NULL",
        ("reply may or may not have been sent", "replies may or may not have been sent"),
        "See them with `instar outbox list`; settle each with `instar outbox send ID` or `instar outbox drop ID`.",
    ),
    (
        "delivery-failed",
        "note",
        "SELECT delivery_id FROM outbox WHERE state = 'failed'",
        ("reply could not be sent", "replies could not be sent"),
        "See them with `instar outbox list --state failed`; `instar outbox send ID` tries one again.",
    ),
)
"""Code, severity, a query for what is wrong, the words for one and for several of it, the step to take."""

_UNREADABLE_FIX: Final = (
    "Everything else keeps working. Compare with the newest backup and with the mirror's files, which hold the same "
    "lines."
)

_TAKEN_UP: Final = "The next start takes up what waits."


def check_rows(connection: apsw.Connection, *, is_running: bool) -> Iterator[DoctorFinding]:
    """Rows that contradict each other, rows that cannot be read, and what waits for a person."""
    for code, severity, query, (one, many), fix in _QUESTIONS:
        names = [str(row[0]) for row in connection.execute(query)]
        if names:
            yield tell_names(code, severity, names, one=one, many=many, fix=fix)
    yield from _check_texts(connection)
    if not is_running:
        waiting = connection.execute("SELECT COUNT(*) FROM inbox WHERE ended_at IS NULL").get
        if waiting:
            yield build_note("messages-waiting", count_of(waiting, "message waits", "messages wait"), fix=_TAKEN_UP)


def _check_texts(connection: apsw.Connection) -> Iterator[DoctorFinding]:
    """Stored texts that are not what was written there."""
    rows = []
    for key, fields in connection.execute("SELECT key, fields FROM sessions"):
        try:
            parse_session(fields)
        except StoreUnreadable:
            rows.append(str(key))
    if rows:
        one, many = "session row cannot be read", "session rows cannot be read"
        yield tell_names("session-unreadable", "critical", rows, one=one, many=many, fix=_UNREADABLE_FIX)
    lines = []
    query = "SELECT t.session_id, e.seq, e.line FROM entries AS e JOIN transcripts AS t ON t.id = e.transcript"
    for session_id, seq, line in connection.execute(query):
        try:
            msgspec.json.decode(line, type=dict)
        except msgspec.DecodeError:
            lines.append(f"{session_id} line {seq}")
    if lines:
        one, many = "line of a transcript cannot be read", "lines of transcripts cannot be read"
        yield tell_names("line-unreadable", "critical", lines, one=one, many=many, fix=_UNREADABLE_FIX)
