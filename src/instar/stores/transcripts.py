"""Transactions about transcripts: open, close, append, move the leaf, read a branch (TRANS-3, TRANS-11, TRANS-12).

A transcript is a tree; `seq` numbers its lines in the order in which they were written, and a parent always stands
before its children. Almost every transcript is a plain list: `is_linear` says so, and then the active branch is a
range of lines. Otherwise it is walked from the leaf.

Invariants kept here: a parent exists before its child; an entry id names one entry; a key has one transcript that is
not closed; `context_seq` is the first line that the model still sees on the active branch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from instar.core.model.change import TranscriptHead
from instar.core.model.entry import AnyEntry, CompactionEntry, Header, MessageEntry
from instar.core.model.ids import EntryId, Instant, SessionId, SessionKey
from instar.core.model.query import EntryPage
from instar.errors import InvariantBroken, NotFound
from instar.stores.known import TranscriptRow
from instar.stores.rows import format_line, line_bytes, read_entry, read_transcript, write_header
from instar.stores.search import keep_out, take_in_again, unindex_transcript
from instar.stores.transaction import Params, Transaction

__all__ = [
    "STAGED",
    "WHOLE_ENTRIES",
    "append_entries",
    "append_some",
    "close_transcript",
    "find_transcript",
    "load_all_entries",
    "load_context",
    "load_entries",
    "load_transcripts",
    "move_leaf",
    "open_transcript",
    "remove_transcript",
    "set_aside",
]

STAGED: Final = "staged"
"""The reason for which a transcript is closed that nobody may see: it is not all there. The queries write it out."""

WHOLE_ENTRIES: Final = 200
"""So many entries are stored, or deleted, in one transaction: some milliseconds."""

_END = 1 << 62
"""After every line."""


# --- life -------------------------------------------------------------------------------------------------------------


def open_transcript(
    tx: Transaction, key: SessionKey, header: Header, *, now: Instant, closed_as: str | None = None
) -> TranscriptRow:
    """Start a transcript, or make a closed one of the same key the current one again (`/resume`, LOSS-6).

    `closed_as` is a reason to start it closed, beside the current one.
    """
    known = find_transcript(tx, header.id)
    _touch(tx, key, header.id)
    if known is not None:
        if known.head.key != key:
            raise InvariantBroken("a transcript belongs to one session key", why=f"{header.id} is not of {key}")
        tx.run("reopen_transcript", {"transcript": known.id})
        take_in_again(tx, known.id)
        return replace(known, head=replace(known.head, closed_at=None, close_reason=None))
    text = write_header(header)
    began_at = header.timestamp if header.timestamp is not None else now
    head = TranscriptHead(
        session_id=header.id,
        key=key,
        header=header,
        began_at=began_at,
        bytes=line_bytes(text),
        closed_at=None if closed_as is None else now,
        close_reason=closed_as,
    )
    columns: Params = {
        "session_id": header.id,
        "key": key,
        "header": text,
        "began_at": began_at,
        "closed_at": head.closed_at,
        "close_reason": closed_as,
    }
    row = tx.one("insert_transcript", columns)
    if row is None:
        raise InvariantBroken("a new transcript has a row")
    return TranscriptRow(id=row[0], leaf_seq=0, head=head)


def close_transcript(tx: Transaction, transcript: TranscriptRow, *, reason: str, now: Instant) -> None:
    """End this life of the session; its lines stay (LOSS-6)."""
    tx.run("close_transcript", {"transcript": transcript.id, "at": now, "reason": reason})
    _touch(tx, transcript.head.key, transcript.head.session_id)


def remove_transcript(tx: Transaction, transcript: TranscriptRow) -> None:
    """Remove a transcript with all its lines."""
    unindex_transcript(tx, transcript.id)
    tx.run("delete_entries", {"transcript": transcript.id})
    tx.run("delete_transcript", {"transcript": transcript.id})
    _touch(tx, transcript.head.key, transcript.head.session_id)


def set_aside(tx: Transaction, transcript: TranscriptRow, *, now: Instant) -> SessionId:
    """Hide a transcript whose lines are many: for everybody it is removed, and `clearing` takes the lines; its new id.

    It stays under its key, so that an erasure finds it.
    """
    head = transcript.head
    hidden = SessionId(f"removed:{transcript.id}:{head.session_id}")
    keep_out(tx, transcript.id)
    columns: Params = {
        "transcript": transcript.id,
        "session_id": hidden,
        "header": write_header(head.header),
        "closed_at": now if head.closed_at is None else head.closed_at,
        "close_reason": STAGED,
    }
    tx.run("rename_transcript", columns)
    _touch(tx, head.key, head.session_id)
    return hidden


def _touch(tx: Transaction, key: SessionKey, session_id: SessionId) -> None:
    """Say that a transcript changed; what was remembered of its session is not so any more."""
    tx.known.forget(key)
    tx.touched.transcripts.add(session_id)


# --- growth -----------------------------------------------------------------------------------------------------------


def append_entries(tx: Transaction, transcript: TranscriptRow, entries: Sequence[AnyEntry]) -> TranscriptRow:
    """Append entries in order; one that the transcript has already, word for word, changes nothing."""
    growth = _Growth(tx, transcript)
    for entry in entries:
        growth.append(entry)
    return growth.save()


def append_some(tx: Transaction, transcript: TranscriptRow, entries: Sequence[AnyEntry], *, most_bytes: int) -> int:
    """Append the first entries, at least one, until they hold so many bytes; how many that were."""
    growth = _Growth(tx, transcript)
    taken = 0
    for entry in entries:
        growth.append(entry)
        taken += 1
        if growth.gained_bytes >= most_bytes:
            break
    growth.save()
    return taken


def move_leaf(tx: Transaction, transcript: TranscriptRow, leaf_id: EntryId) -> TranscriptRow:
    """Go back to an earlier entry: what comes next hangs there (TRANS-11)."""
    growth = _Growth(tx, transcript)
    growth.move_leaf(leaf_id)
    return growth.save()


class _Growth:
    """A transcript while lines are put on it. One object for one transaction."""

    def __init__(self, tx: Transaction, transcript: TranscriptRow) -> None:
        head = transcript.head
        self._tx = tx
        self._row = transcript
        self._leaf_id, self._leaf_seq = head.leaf_id, transcript.leaf_seq
        self._next_seq, self._messages, self._bytes = head.next_seq, head.message_count, head.bytes
        self._is_linear, self._context_seq = head.is_linear, head.context_seq
        self._has_branched = False

    @property
    def gained_bytes(self) -> int:
        """What was put on so far."""
        return self._bytes - self._row.head.bytes

    def append(self, entry: AnyEntry) -> None:
        """Put one line at the end and move the leaf to it.

        A line without an id (`OtherEntry`, from a damaged file) is kept, but nothing can hang on it: it stands
        beside the branch.
        """
        seq, line = self._next_seq, format_line(entry)
        parent_seq = self._leaf_seq or None
        if entry.parent_id != self._leaf_id and entry.id:
            parent_seq = self._find_parent(entry)
        columns: Params = {
            "transcript": self._row.id,
            "seq": seq,
            "id": entry.id or f"line {seq}",
            "parent_seq": parent_seq,
            "type": line.type,
            "at": entry.timestamp,
            "tokens": line.tokens,
            "messages": self._messages + isinstance(entry, MessageEntry),
            "bytes": self._bytes + line_bytes(line.text),
            "line": line.text,
        }
        if not self._tx.run("insert_entry", columns):
            self._check_same(entry.id, line.text)
            return
        self._next_seq = seq + 1
        self._messages += isinstance(entry, MessageEntry)
        self._bytes += line_bytes(line.text)
        self._is_linear = self._is_linear and (parent_seq or 0) == seq - 1 and entry.id != ""
        if not entry.id:
            return
        if isinstance(entry, CompactionEntry):
            self._context_seq = self._find_kept(entry, seq)
        self._has_branched = self._has_branched or entry.parent_id != self._leaf_id
        self._leaf_id, self._leaf_seq = entry.id, seq

    def move_leaf(self, leaf_id: EntryId) -> None:
        """Let the next line hang on an earlier one."""
        self._leaf_seq, _ = self._find(leaf_id, "a leaf is an entry that exists")
        self._leaf_id = leaf_id
        self._is_linear = self._is_linear and self._leaf_seq == self._next_seq - 1
        self._has_branched = True

    def save(self) -> TranscriptRow:
        """Write what changed in the head, if anything did; the head as it is then."""
        before = self._row.head
        if self._has_branched:
            self._context_seq = self._find_context_seq()
        if self._next_seq == before.next_seq and self._leaf_id == before.leaf_id:
            return self._row
        head = TranscriptHead(
            session_id=before.session_id,
            key=before.key,
            header=before.header,
            began_at=before.began_at,
            leaf_id=self._leaf_id,
            next_seq=self._next_seq,
            message_count=self._messages,
            bytes=self._bytes,
            is_linear=self._is_linear,
            context_seq=self._context_seq,
            closed_at=before.closed_at,
            close_reason=before.close_reason,
        )
        self._save_marks(head)
        _touch(self._tx, head.key, head.session_id)
        return TranscriptRow(id=self._row.id, leaf_seq=self._leaf_seq, head=head)

    def _save_marks(self, head: TranscriptHead) -> None:
        """Write what a plain append leaves alone: the moved leaf, the context, that there are branches."""
        before = self._row.head
        is_moved, was_moved = self._leaf_seq != head.next_seq - 1, self._row.leaf_seq != before.next_seq - 1
        marks = (head.is_linear, head.context_seq, is_moved)
        if marks == (before.is_linear, before.context_seq, was_moved) and not is_moved:
            return
        columns: Params = {
            "transcript": self._row.id,
            "is_linear": int(head.is_linear),
            "context_seq": head.context_seq,
            "leaf_seq": self._leaf_seq if is_moved else None,
        }
        self._tx.run("update_transcript", columns)

    def _find(self, entry_id: str, invariant: str) -> tuple[int, str]:
        row = self._tx.one("find_entry", {"transcript": self._row.id, "id": entry_id})
        if row is None:
            raise InvariantBroken(invariant, why=f"{self._row.head.session_id} has no entry {entry_id}")
        return row[0], row[1]

    def _find_parent(self, entry: AnyEntry) -> int | None:
        if entry.parent_id is None:
            return None
        return self._find(entry.parent_id, "a parent exists before its child")[0]

    def _check_same(self, entry_id: EntryId, text: str) -> None:
        if self._find(entry_id, "an entry that is there can be found")[1] != text:
            raise InvariantBroken("an entry id names one entry", why=f"{entry_id} is there with other words")

    def _find_context_seq(self) -> int:
        """The first line the model sees on the branch of the leaf."""
        row = self._tx.one("find_branch_compaction", {"transcript": self._row.id, "leaf_seq": self._leaf_seq})
        if row is None:
            return 1
        entry = read_entry((*row, 0)).entry
        return self._find_kept(entry, row[0]) if isinstance(entry, CompactionEntry) else 1

    def _find_kept(self, compaction: CompactionEntry, seq: int) -> int:
        """The place of the first entry that a compaction keeps; its own where that entry is nowhere, so nothing."""
        row = self._tx.one("find_entry", {"transcript": self._row.id, "id": compaction.first_kept_id})
        return row[0] if row is not None else seq


# --- questions --------------------------------------------------------------------------------------------------------


def find_transcript(tx: Transaction, session_id: SessionId) -> TranscriptRow | None:
    """The transcript of a session id, None if there is none."""
    row = tx.one("load_transcript", {"session_id": session_id})
    return read_transcript(row) if row is not None else None


def load_transcripts(tx: Transaction, key: SessionKey) -> tuple[TranscriptHead, ...]:
    """Every transcript of a key: the current one first, then the newest."""
    return tuple(read_transcript(row).head for row in tx.all("load_transcripts", {"key": key}))


def load_entries(
    tx: Transaction,
    session_id: SessionId,
    *,
    limit: int | None,
    before_seq: int | None,
    messages_only: bool,
) -> EntryPage:
    """The newest entries of the active branch, in order. Raises `NotFound`."""
    transcript = _require(tx, session_id)
    return _load_branch(tx, transcript, limit=limit, before_seq=before_seq, messages_only=messages_only)


def load_context(tx: Transaction, session_id: SessionId) -> EntryPage:
    """The entries that the model still sees (TRANS-12). Raises `NotFound`."""
    transcript = _require(tx, session_id)
    return _load_branch(tx, transcript, from_seq=transcript.head.context_seq)


def load_all_entries(tx: Transaction, session_id: SessionId) -> EntryPage:
    """Every entry of every branch, in the order in which they were written. Raises `NotFound`."""
    transcript = _require(tx, session_id)
    rows = tx.all("load_lines", {"transcript": transcript.id, "from_seq": 1, "limit": _END})
    return EntryPage(head=transcript.head, entries=tuple(map(read_entry, rows)))


def _load_branch(
    tx: Transaction,
    transcript: TranscriptRow,
    *,
    limit: int | None = None,
    before_seq: int | None = None,
    from_seq: int = 1,
    messages_only: bool = False,
) -> EntryPage:
    """A part of the active branch. One line more than asked is read, to see whether there are more."""
    kind = "message_" if messages_only else ""
    name = f"load_{kind}entries" if transcript.head.is_linear else f"load_{kind}branch"
    params = {
        "transcript": transcript.id,
        "before_seq": _END if before_seq is None else before_seq,
        "from_seq": from_seq,
        "limit": _END if limit is None else limit + 1,
    }
    if not transcript.head.is_linear:
        params["leaf_seq"] = transcript.leaf_seq
    rows = tx.all(name, params)
    has_more = limit is not None and len(rows) > limit
    if has_more:
        rows.pop()
    rows.reverse()
    return EntryPage(head=transcript.head, entries=tuple(map(read_entry, rows)), has_more=has_more)


def _require(tx: Transaction, session_id: SessionId) -> TranscriptRow:
    transcript = find_transcript(tx, session_id)
    if transcript is None:
        raise NotFound(
            f"There is no transcript {session_id}",
            why="the store has no session of this id, now or in its history",
            fix="List the sessions with `instar sessions list`.",
        )
    return transcript
