"""Transactions about session rows: load, save, list, find, delete (ENTRY-*, RPC-32).

Invariants kept here: a label names one session; `updated_at` never goes backwards (ENTRY-9); `session_counts` tells
how many rows each list has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import starmap

from instar.core.model.change import SessionFacts
from instar.core.model.ids import Instant, SessionKey
from instar.core.model.query import SessionPage, SessionQuery
from instar.core.model.session import Session
from instar.errors import InvalidRequest
from instar.stores.known import TranscriptRow
from instar.stores.rows import format_json, parse_session, read_transcript, session_columns
from instar.stores.transaction import Params, Transaction

__all__ = ["find_sessions", "list_sessions", "load_facts", "load_session", "remove_session", "save_session"]

_ALL = 1_000_000_000
"""A limit for queries that have none."""

_LISTED = ("agent_id", "session_id", "kind", "owner", "label", "spawned_by", "names", "archived", "pinned")
"""Columns that change seldom and stand in indices."""


def load_session(tx: Transaction, key: SessionKey) -> Session | None:
    """The session of a key, None if there is none."""
    known = tx.known.get(key)
    if known is not None:
        return known[0]
    row = tx.one("load_session", {"key": key})
    return parse_session(row[0]) if row is not None else None


def load_facts(tx: Transaction, key: SessionKey, *, now: Instant) -> tuple[SessionFacts, TranscriptRow | None]:
    """What a decision about a session may look at, and where its current transcript stands."""
    known = tx.known.get(key)
    if known is None:
        row = tx.one("load_facts", {"key": key})
        if row is None:
            return SessionFacts(key=key, now=now), None
        known = parse_session(row[0]), read_transcript(row[1:]) if row[1] is not None else None
    session, transcript = known
    head = transcript.head if transcript is not None else None
    return SessionFacts(key=key, now=now, session=session, transcript=head), transcript


def save_session(tx: Transaction, old: Session | None, new: Session) -> Session:
    """Write a session's row; gives it as written. Raises `InvalidRequest` when its label names another session."""
    updated_at = new.lifecycle.updated_at
    if old is not None and old.lifecycle.updated_at is not None and (updated_at or 0) < old.lifecycle.updated_at:
        new = replace(new, lifecycle=replace(new.lifecycle, updated_at=old.lifecycle.updated_at))
    columns = session_columns(new)
    if old is None:
        _check_label(tx, new)
        tx.run("insert_session", columns)
        _count(tx, columns, 1)
    else:
        before = session_columns(old)
        if all(columns[name] == before[name] for name in _LISTED):
            tx.run("touch_session", {name: columns[name] for name in ("key", "updated_at", "fields")})
        else:
            if new.naming.label != old.naming.label:
                _check_label(tx, new)
            tx.run("update_session", columns)
            _count(tx, before, -1)
            _count(tx, columns, 1)
    tx.known.forget(new.key)
    tx.touched.keys.add(new.key)
    return new


def remove_session(tx: Transaction, session: Session) -> None:
    """Remove a session's row; its transcripts are the affair of `instar.stores.transcripts`."""
    tx.known.forget(session.key)
    tx.run("delete_session", {"key": session.key})
    _count(tx, session_columns(session), -1)
    tx.touched.keys.add(session.key)


def _check_label(tx: Transaction, session: Session) -> None:
    if session.naming.label is None:
        return
    row = tx.one("find_session_by_label", {"label": session.naming.label, "owners": None})
    if row is not None and parse_session(row[0]).key != session.key:
        raise InvalidRequest(
            f"The label {session.naming.label!r} is taken",
            why="another session has it, and a label names one session",
            fix="Choose another label, or clear it there first.",
            field="label",
        )


def _count(tx: Transaction, columns: Params, step: int) -> None:
    counted = {name: columns[name] for name in ("agent_id", "kind", "archived")}
    tx.run("count_up", {**counted, "step": step})


# --- questions --------------------------------------------------------------------------------------------------------


def list_sessions(tx: Transaction, query: SessionQuery) -> SessionPage:
    """One page of sessions, pinned ones first, then the newest, and how many match (RPC-32)."""
    params: dict[str, str | int | None] = {
        "agent_id": query.agent_id,
        "archived": None if query.archived is None else int(query.archived),
        "since": query.updated_since or 0,
        "search": query.search.casefold() if query.search else None,
        "label": query.label,
        "spawned_by": query.spawned_by,
        "owners": None if query.owner_in is None else format_json(query.owner_in),
        "include_global": int(query.include_global),
        "include_unknown": int(query.include_unknown),
        "limit": _ALL if query.limit is None else query.limit,
        "offset": query.offset,
    }
    page, count = _list_queries(query)
    sessions = tuple(starmap(parse_session, tx.all(page, params)))
    if query.offset == 0 and (query.limit is None or len(sessions) < query.limit):
        return SessionPage(sessions=sessions, total=len(sessions))
    total = tx.one(count, params)
    return SessionPage(sessions=sessions, total=total[0] if total is not None else 0)


def _list_queries(query: SessionQuery) -> tuple[str, str]:
    """The queries for the page and for the count: those that read least for what is asked."""
    if query.label is not None or query.spawned_by is not None or query.owner_in is not None:
        return "list_sessions_narrow", "count_sessions_narrow"
    count = "sum_counts" if not query.search and not query.updated_since else "count_sessions"
    if query.archived is None:
        return "list_sessions_either", count
    return "list_sessions_of_agent" if query.agent_id is not None else "list_sessions", count


def find_sessions(
    tx: Transaction, *, session_id_prefix: str | None, label: str | None, owner_in: Sequence[str] | None = None
) -> tuple[Session, ...]:
    """Sessions that carry the label, or one of whose transcripts has an id that begins so; at most 20.

    `owner_in` restricts as in `SessionQuery`, before anything is counted.
    """
    owners = None if owner_in is None else format_json(owner_in)
    found: dict[SessionKey, Session] = {}
    if label is not None:
        row = tx.one("find_session_by_label", {"label": label, "owners": owners})
        if row is not None:
            session = parse_session(row[0])
            found[session.key] = session
    if session_id_prefix:
        bounds = {"from_id": session_id_prefix, "to_id": _after_prefix(session_id_prefix)}
        name, more = ("find_sessions_by_id", {}) if owners is None else ("find_seen_sessions_by_id", {"owners": owners})
        for row in tx.all(name, {**bounds, **more}):
            session = parse_session(row[0])
            found.setdefault(session.key, session)
    return tuple(found.values())[:20]


def _after_prefix(prefix: str) -> str:
    """The least text that sorts after every text beginning with `prefix`, by code points as both engines compare."""
    return prefix + "\U0010ffff"
