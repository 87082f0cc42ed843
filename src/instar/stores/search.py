"""Transactions about the full-text index: follow a transcript, forget one, ask (SEARCH-1…6, LEAK-6).

The index is not written with the message: that would cost every append more than half again as much. It follows the
transcripts by their marks, a slice at a time, and a search brings it level first (`search_index`).

Invariants kept here: a message is in the index at most once (`search_rows`); nothing of the index outlives its line;
what is in the index up to a mark is what the branch of the mark's leaf says. The words that are taken out are made
from the line again, so they are those that were put in (`WORDS_VERSION` guards that).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from instar.core.model.ids import Instant, SessionId, SessionKey
from instar.core.model.query import SearchHit, SearchQuery
from instar.core.transcript.excerpt import cut_around
from instar.core.transcript.search_text import (
    WORDS_VERSION,
    build_search_query,
    indexed_text,
    search_role,
    search_words,
    split_query,
)
from instar.errors import StoreUnreadable
from instar.stores.known import TranscriptRow
from instar.stores.rows import format_json, read_entry
from instar.stores.transaction import Row, Transaction

__all__ = [
    "SLICE_ROWS",
    "follow_transcript",
    "is_index_current",
    "keep_out",
    "list_kept_out",
    "list_unindexed",
    "merge_index",
    "reindex_line",
    "renew_index",
    "search_messages",
    "take_in_again",
    "unindex_kept_out",
    "unindex_slice",
    "unindex_transcript",
]

SLICE_ROWS: Final = 200
"""Messages looked at in one go: some milliseconds, so that no turn waits long for the writer."""

UNINDEX_ROWS: Final = 50
"""Messages taken out in one go: wiping words out of the index takes ten times as long as putting them in."""

_SLICE_CHARS: Final = 64 * 1024
"""Text indexed in one go; a single message may be longer."""

_HIT_REACH_CHARS: Final = 8_000
"""How much of a found message is handed on to each side of the word: more than any secret that must be recognised."""

_KEPT_OUT: Final = 1 << 62
"""The mark of a transcript that is not to be indexed; larger than any place of a line."""

_NEWEST: Final = 1 << 62
"""Before every transcript."""

_ID_BITS: Final = 20
_AT_MAX: Final = (1 << 42) - 1
"""A message's number: its time in milliseconds and a count within it, so that the numbers are in order of time."""

_VERSION: Final = "search_words"
"""The name in `meta` of the version of the words in the index."""


# --- following --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    """How far the index has followed: every message up to `seq` on the branch of `leaf_seq` is in it."""

    seq: int = 0
    leaf_seq: int = 0


def follow_transcript(tx: Transaction, transcript: TranscriptRow) -> bool:
    """Bring the index a slice nearer to a transcript; True once it is level."""
    mark = _load_mark(tx, transcript.id)
    goal = _Mark(seq=transcript.head.next_seq - 1, leaf_seq=transcript.leaf_seq)
    if mark == goal or mark.seq == _KEPT_OUT:
        return True
    params = {"transcript": transcript.id, "after": mark.seq, "leaf_seq": transcript.leaf_seq, "limit": SLICE_ROWS}
    if transcript.head.is_linear:
        rows = tx.all("load_followed_lines", params)
    else:
        if not _hangs_on(tx, mark, transcript):
            params["after"] = 0
            stale = tx.all("load_stale_rows", {**params, "limit": UNINDEX_ROWS})
            _unindex(tx, stale)
            if len(stale) == UNINDEX_ROWS:
                return False
        rows = tx.all("load_followed_branch", params)
    taken = _index(tx, transcript, rows)
    is_level = taken == len(rows) < SLICE_ROWS
    if not is_level:
        # The last line looked at is on the branch, and all of its branch is in the index: a mark as good as any.
        seq = rows[taken - 1][0]
        goal = _Mark(seq=seq, leaf_seq=seq)
    tx.run("save_search_mark", {"transcript": transcript.id, "seq": goal.seq, "leaf_seq": goal.leaf_seq})
    return is_level


def _load_mark(tx: Transaction, transcript_id: int) -> _Mark:
    row = tx.one("load_search_mark", {"transcript": transcript_id})
    return _Mark(seq=row[0], leaf_seq=row[1]) if row is not None else _Mark()


def _hangs_on(tx: Transaction, mark: _Mark, transcript: TranscriptRow) -> bool:
    """Whether the active branch goes on from where the index had followed it, instead of leaving it before."""
    foot = tx.one("find_branch_foot", {"transcript": transcript.id, "after": mark.seq, "leaf_seq": transcript.leaf_seq})
    return (transcript.leaf_seq if foot is None else foot[0]) == mark.leaf_seq


def _index(tx: Transaction, transcript: TranscriptRow, rows: Sequence[Row]) -> int:
    """Put messages into the index; how many were looked at before there was enough text."""
    chars = 0
    for taken, (seq, at, line, is_indexed) in enumerate(rows, start=1):
        words = "" if is_indexed else _words(seq, line)
        if words:
            search_id = _draw_id(tx, transcript.head.began_at if at is None else at)
            tx.run("insert_search_row", {"id": search_id, "transcript": transcript.id, "seq": seq})
            tx.run("index_words", {"id": search_id, "words": words})
            chars += len(words)
        if chars >= _SLICE_CHARS:
            return taken
    return len(rows)


def _words(seq: int, line: str) -> str:
    """The words of a line as the index keeps them; none for a line that cannot be read (LOSS-10)."""
    try:
        entry = read_entry((seq, line, 0)).entry
    except StoreUnreadable:
        return ""
    return search_words(indexed_text(entry))


def _draw_id(tx: Transaction, at: Instant) -> int:
    """A free number for a message of this time; it sorts behind all others of the same millisecond."""
    from_id = min(max(at, 0), _AT_MAX) << _ID_BITS
    row = tx.one("find_search_id", {"from_id": from_id, "to_id": from_id + (1 << _ID_BITS)})
    return from_id if row is None or row[0] is None else int(row[0]) + 1


# --- forgetting -------------------------------------------------------------------------------------------------------


def unindex_transcript(tx: Transaction, transcript_id: int) -> None:
    """Take a transcript out of the index before its lines are removed."""
    while rows := tx.all("load_indexed_rows", {"transcript": transcript_id, "limit": UNINDEX_ROWS}):
        _unindex(tx, rows)
    tx.run("delete_search_mark", {"transcript": transcript_id})


def unindex_slice(tx: Transaction, key: SessionKey) -> bool:
    """Take some messages of a session that is to go out of the index, if it has more than one go should take.

    False if it has not. Nobody puts them back meanwhile: what else follows the transcript would never come to an end.
    """
    row = tx.one("find_indexed_transcript", {"key": key, "count": UNINDEX_ROWS})
    if row is None:
        return False
    keep_out(tx, row[0])
    return unindex_kept_out(tx, row[0])


def keep_out(tx: Transaction, transcript_id: int) -> None:
    """Let no search find a transcript that outlives its session, until it is current again (SEARCH-4).

    Its words are still in the index: `unindex_kept_out` takes them away.
    """
    tx.run("save_search_mark", {"transcript": transcript_id, "seq": _KEPT_OUT, "leaf_seq": 0})


def unindex_kept_out(tx: Transaction, transcript_id: int) -> bool:
    """Take some words of a transcript that is kept out away; False when there are none, or it is not kept out."""
    if _load_mark(tx, transcript_id).seq != _KEPT_OUT:
        return False
    rows = tx.all("load_indexed_rows", {"transcript": transcript_id, "limit": UNINDEX_ROWS})
    _unindex(tx, rows)
    return bool(rows)


def list_kept_out(tx: Transaction) -> list[SessionId]:
    """Transcripts that are kept out and still have words in the index."""
    return [SessionId(row[0]) for row in tx.all("list_kept_out", {"kept_out": _KEPT_OUT})]


def take_in_again(tx: Transaction, transcript_id: int) -> None:
    """Let the index follow a transcript that was kept out of it."""
    tx.run("delete_kept_out_mark", {"transcript": transcript_id, "kept_out": _KEPT_OUT})


def _unindex(tx: Transaction, rows: Sequence[Row]) -> None:
    """Take messages out of the index, from their numbers and lines."""
    for search_id, line in rows:
        tx.run("unindex_words", {"id": search_id, "words": _words(0, line)})
        tx.run("delete_search_row", {"id": search_id})


def reindex_line(tx: Transaction, transcript_id: int, seq: int, *, old: str, new: str) -> None:
    """Follow a line that was rewritten, if it is in the index: only its new words are found from then on."""
    row = tx.one("find_search_row", {"transcript": transcript_id, "seq": seq})
    if row is None:
        return
    _unindex(tx, [(row[0], old)])
    words = _words(seq, new)
    if words:
        tx.run("insert_search_row", {"id": row[0], "transcript": transcript_id, "seq": seq})
        tx.run("index_words", {"id": row[0], "words": words})


# --- the index as a whole ---------------------------------------------------------------------------------------------


def is_index_current(tx: Transaction) -> bool:
    """Whether the words in the index are made as this build makes them."""
    row = tx.one("load_meta", {"name": _VERSION})
    return row is not None and row[0] == WORDS_VERSION


def renew_index(tx: Transaction) -> None:
    """Empty the index: every transcript is followed from its beginning again."""
    tx.run("empty_index", {})
    tx.run("delete_search_rows", {})
    tx.run("delete_search_marks", {})
    tx.run("save_meta", {"name": _VERSION, "value": WORDS_VERSION})


def merge_index(tx: Transaction) -> None:
    """Write the index in one piece: nothing is left in it of what was taken out before it wiped words at once."""
    tx.run("merge_index", {})


def list_unindexed(tx: Transaction, *, before: int | None, limit: int) -> tuple[list[SessionId], int | None]:
    """Transcripts that the index is behind of among the next `limit`, the newest first, and where the next go begins.

    `before` None begins with the newest; the second value is None after the oldest.
    """
    rows = tx.all("list_unindexed", {"before": _NEWEST if before is None else before, "limit": limit})
    behind = [SessionId(session_id) for _, session_id, is_behind in rows if is_behind]
    return behind, rows[-1][0] if len(rows) == limit else None


# --- questions --------------------------------------------------------------------------------------------------------


def search_messages(tx: Transaction, query: SearchQuery) -> tuple[SearchHit, ...]:
    """The newest messages in which all words occur, of the sessions that may be seen (SEARCH-2, SEARCH-5)."""
    expression = build_search_query(query.text)
    if expression is None:
        return ()
    words = split_query(query.text)
    rows = tx.all(
        "search_messages",
        {
            "query": expression,
            "agent_id": query.agent_id,
            "owners": None if query.owner_in is None else format_json(query.owner_in),
            "keys": None if query.key_in is None else format_json(query.key_in),
            "kept_out": _KEPT_OUT,
            "limit": query.limit,
        },
    )
    return tuple(_read_hit(row, words) for row in rows)


def _read_hit(row: Row, words: Sequence[str]) -> SearchHit:
    key, session_id, seq, line = row
    entry = read_entry((seq, line, 0)).entry
    return SearchHit(
        session_key=key,
        session_id=session_id,
        entry_id=entry.id,
        seq=seq,
        role=search_role(entry),
        at=entry.timestamp,
        text=cut_around(indexed_text(entry), words, reach_chars=_HIT_REACH_CHARS),
    )
