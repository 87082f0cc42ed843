"""The transactions by which a person leaves the rows (LEAK-11).

What belongs here: deleting sessions that are theirs alone, rewriting those they shared, and the rows of every other
table. What does not: which rows those are (`find`), and files.

Each function is one transaction and may run again: what is done already changes nothing. The order keeps an erasure
that is cut able to go on: the messages tell whose is what, so they go last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import msgspec

from instar.core.context.erasing import Traces, erase_entries, is_called_after
from instar.core.context.tokens import estimate_entry
from instar.core.model.entry import AnyEntry, CompactionEntry, OtherEntry
from instar.core.model.ids import EntryId, SessionId, SessionKey
from instar.core.model.session import Delivery, Session
from instar.core.policy.needles import Cleaner, clean_value
from instar.core.routing.person import PersonTest
from instar.errors import StoreUnreadable
from instar.stores.erasing.find import read_submission
from instar.stores.erasing.registry import TABLES
from instar.stores.known import TranscriptRow
from instar.stores.rows import (
    format_json,
    format_line,
    format_session,
    line_bytes,
    parse_session_once,
    read_entry,
    write_header,
)
from instar.stores.search import reindex_line
from instar.stores.sessions import load_session, remove_session, save_session
from instar.stores.transaction import Params, Transaction
from instar.stores.transcripts import find_transcript, remove_transcript

__all__ = ["clean_shared", "erase_messages", "erase_rows", "erase_session", "rewrite_transcript"]

_DAMAGED: Final = "instar.damaged"
"""Stands in for the type of a line that cannot be read."""

_NAMED: Final = (
    ("list_state_texts", "rewrite_state_text"),
    ("list_notice_texts", "rewrite_notice"),
    ("list_device_names", "rewrite_device_name"),
    ("list_request_names", "rewrite_request_name"),
    ("list_pairing_names", "rewrite_pairing_name"),
    ("list_token_labels", "rewrite_token_label"),
)
"""Small tables with one text that may name anybody: how it is read with its row, and how it is written."""


def erase_session(tx: Transaction, key: SessionKey) -> Counter[str]:
    """Remove a session that is theirs alone, with every transcript it ever had."""
    done: Counter[str] = Counter()
    for row in tx.all("list_session_transcripts", {"keys": format_json([key])}):
        transcript = find_transcript(tx, row[0])
        if transcript is not None:
            done["transcripts"] += 1
            done["entries"] += transcript.head.next_seq - 1
            remove_transcript(tx, transcript)
    session = load_session(tx, key)
    if session is not None:
        remove_session(tx, session)
        done["sessions"] += 1
    tx.known.forget(key)
    tx.touched.keys.add(key)
    return done


def erase_rows(tx: Transaction, params: Params) -> Counter[str]:
    """Take the person out of every table that needs no reading: `registry` says how; the messages stay for now."""
    done: Counter[str] = Counter()
    for name, table in TABLES.items():
        if name != "inbox":
            done[name] += sum(tx.run(query, params) for query in table.erased_by)
    return done


def erase_messages(tx: Transaction, params: Params) -> Counter[str]:
    """Remove what they wrote, and what came to their sessions: the last of the rows to go."""
    return Counter({"inbox": sum(tx.run(query, params) for query in TABLES["inbox"].erased_by)})


# --- shared transcripts -----------------------------------------------------------------------------------------------


def rewrite_transcript(tx: Transaction, session_id: SessionId, traces: Traces) -> Counter[str]:
    """Take the person out of a transcript that they shared; what was changed, by kind. All of it or nothing."""
    transcript = find_transcript(tx, session_id)
    if transcript is None:
        return Counter()
    rows = tx.all("load_line_sums", {"transcript": transcript.id})
    entries = [_read(seq, line) for seq, line, _, _ in rows]
    done: Counter[str] = Counter()
    size, updates = line_bytes(write_header(transcript.head.header)), []
    is_summary_lost = False
    for (seq, line, tokens, was), (entry, change) in zip(rows, erase_entries(entries, traces), strict=True):
        text = line
        if change is not None:
            done[change] += 1
            text, tokens = _written(entry), estimate_entry(entry)  # noqa: PLW2901 - what the row holds from now on
            is_summary_lost |= isinstance(entry, CompactionEntry)
            reindex_line(tx, transcript.id, seq, old=line, new=text)
        size += line_bytes(text)
        if change is not None or size != was:
            updates.append({"transcript": transcript.id, "seq": seq, "line": text, "tokens": tokens, "bytes": size})
    tx.run_many("rewrite_entry", updates)
    if is_summary_lost:
        _show_all(tx, transcript)
    if done:
        tx.known.forget(transcript.head.key)
        tx.touched.transcripts.add(session_id)
    return done


def _read(seq: int, line: str) -> AnyEntry:
    """The entry of a line; one that is damaged as a text with nothing around it (LOSS-10)."""
    try:
        return read_entry((seq, line, 0)).entry
    except StoreUnreadable:
        return OtherEntry(id=EntryId(""), parent_id=None, timestamp=None, type=_DAMAGED, raw={"line": line})


def _written(entry: AnyEntry) -> str:
    if isinstance(entry, OtherEntry) and entry.type == _DAMAGED:
        return str(entry.raw["line"])
    return format_line(entry).text


def _show_all(tx: Transaction, transcript: TranscriptRow) -> None:
    """Let the model see the transcript from its first line, since its summary is gone: the next one is made of that."""
    is_moved = transcript.leaf_seq != transcript.head.next_seq - 1
    columns: Params = {
        "transcript": transcript.id,
        "is_linear": int(transcript.head.is_linear),
        "context_seq": 1,
        "leaf_seq": transcript.leaf_seq if is_moved else None,
    }
    tx.run("update_transcript", columns)


# --- what others' rows say of them ------------------------------------------------------------------------------------


def clean_shared(
    tx: Transaction, params: Params, *, shared: set[SessionKey], test: PersonTest, traces: Traces
) -> Counter[str]:
    """Blank the person out of what stays: session rows, others' messages, replies, decisions, notices."""
    done: Counter[str] = Counter()
    for key in sorted(shared):
        done["sessions_changed"] += _clean_session(tx, key, test, traces)
    done["quotes"] += _clean_inbox(tx, params, traces.cleaner)
    done["quotes"] += _clean_outbox(tx, params, traces.cleaner)
    done["quotes"] += _clean_decisions(tx, params, traces.cleaner)
    done["quotes"] += _clean_receipts(tx, traces.cleaner)
    for listed, rewritten in _NAMED:
        for row_id, text in tx.all(listed, {}):
            if traces.cleaner.finds(text):
                done["quotes"] += tx.run(rewritten, {"id": row_id, "text": traces.cleaner.clean(text)})
    return done


def _clean_session(tx: Transaction, key: SessionKey, test: PersonTest, traces: Traces) -> int:
    """A shared session's row without their route, their title and their name."""
    tx.known.forget(key)
    old = load_session(tx, key)
    if old is None:
        return 0
    cleaned = _without_text(_without_route(old, test), traces)
    if cleaned == old:
        return 0
    save_session(tx, old, cleaned)
    return 1


def _without_route(session: Session, test: PersonTest) -> Session:
    delivery, origin = session.delivery, session.origin
    if delivery.to is not None and test.is_id(delivery.channel or "", delivery.to):
        delivery = Delivery()
    channel = origin.channel or origin.provider or ""
    is_from = any(each is not None and test.is_id(channel, each) for each in (origin.from_id, origin.to_id))
    if is_from:
        origin = replace(origin, from_id=None, to_id=None, label=None)
    return replace(session, delivery=delivery, origin=origin)


def _without_text(session: Session, traces: Traces) -> Session:
    first = session.naming.first_words
    if first is not None and is_called_after(first, traces):
        session = replace(session, naming=replace(session.naming, first_words=None))
    raw: dict[str, Any] = msgspec.json.decode(format_session(session))  # Any: JSON, only its texts are changed
    fixed = {"key", "agent_id", "session_id", "owner"}
    cleaned = {name: each if name in fixed else clean_value(each, traces.cleaner) for name, each in raw.items()}
    return session if cleaned == raw else parse_session_once(format_json(cleaned))


def _clean_inbox(tx: Transaction, params: Params, cleaner: Cleaner) -> int:
    done = 0
    for inbound_id, text in tx.all("list_shared_inbox", params):
        submission = read_submission(text)
        words = cleaner.clean(submission.inbound.text) if submission is not None else ""
        if submission is not None and words != submission.inbound.text:
            changed = replace(submission, inbound=replace(submission.inbound, text=words))
            done += tx.run("rewrite_inbound", {"inbound_id": inbound_id, "submission": format_json(changed)})
    return done


def _clean_outbox(tx: Transaction, params: Params, cleaner: Cleaner) -> int:
    rows = ((delivery_id, text) for delivery_id, text in tx.all("list_shared_outbox", params) if cleaner.finds(text))
    return sum(
        tx.run("rewrite_delivery", {"delivery_id": delivery_id, "text": cleaner.clean(text)})
        for delivery_id, text in rows
    )


def _clean_decisions(tx: Transaction, params: Params, cleaner: Cleaner) -> int:
    done = 0
    for row_id, outcome, inputs, who in tx.all("list_shared_decisions", params):
        if any(cleaner.finds(text) for text in (outcome, inputs, who)):
            values: Mapping[str, object] = msgspec.json.decode(inputs)
            columns = {
                "id": row_id,
                "outcome": cleaner.clean(outcome),
                "inputs": format_json(clean_value(values, cleaner)),
                "who": cleaner.clean(who),
            }
            done += tx.run("rewrite_decision", columns)
    return done


def _clean_receipts(tx: Transaction, cleaner: Cleaner) -> int:
    """What is left of others is told by the names of files, and one may be called after the person."""
    done = 0
    for erasure_id, text in tx.all("list_receipts", {}):
        if cleaner.finds(text):
            receipt = format_json(clean_value(msgspec.json.decode(text), cleaner))
            done += tx.run("rewrite_receipt", {"id": erasure_id, "receipt": receipt})
    return done
