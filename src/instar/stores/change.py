"""The transaction by which a session changes, and those that end or begin one from outside (LOSS-3, WHY-1).

The store loads the facts, asks the decision, and carries out what it answers, all under one commit. Every promise
about a session as a whole is checked here before anything is written: who may write (the fence), that a session and
its current transcript are of one id, that a key has one current transcript.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from instar.core.model.change import Changed, Ledger, Noted, SessionChange, SessionFacts
from instar.core.model.decision import Decision
from instar.core.model.entry import AnyEntry, Header
from instar.core.model.ids import EntryId, Instant, SessionId, SessionKey
from instar.core.model.query import SpendingQuery
from instar.core.model.session import Session
from instar.core.turn.steps import hang_entries
from instar.errors import FenceLost, InvalidRequest, InvariantBroken
from instar.stores.decisions import record_decisions
from instar.stores.erased import find_erased_at
from instar.stores.inbox import expire_inbox, move_inbound, show_left_out
from instar.stores.known import TranscriptRow
from instar.stores.outbox import add_deliveries, drop_deliveries
from instar.stores.rows import read_transcript
from instar.stores.runs import forget_held, hold_lines, take_held
from instar.stores.search import keep_out
from instar.stores.sessions import load_facts, load_session, remove_session, save_session
from instar.stores.states import forget_states, load_notices, record_states, renounce_watches, take_notices
from instar.stores.transaction import Transaction
from instar.stores.transcripts import (
    WHOLE_ENTRIES,
    append_entries,
    close_transcript,
    find_transcript,
    move_leaf,
    open_transcript,
    remove_transcript,
    set_aside,
)
from instar.stores.usage import sum_spending

__all__ = ["FENCE", "begin_import", "change_session", "delete_session", "finish_import", "import_transcript"]

FENCE = "starts"
"""The name in `meta` of the newest fence: the number of gateway starts (design, section 5)."""


def change_session(
    tx: Transaction,
    key: SessionKey,
    *,
    now: Instant,
    fence: int | None,
    decide: Callable[[SessionFacts], SessionChange],
    spending: Sequence[SpendingQuery] = (),
) -> Changed:
    """Ask the decision and carry out its answer; it knows what the ledger says to `spending`. Raises `FenceLost`."""
    if fence is not None:
        _check_fence(tx, fence)
    facts, transcript = load_facts(tx, key, now=now)
    notices = load_notices(tx, key)
    if notices or spending:
        facts = replace(facts, notices=notices, spent_usd=tuple(sum_spending(tx, query).usd for query in spending))
    change = decide(facts)
    transcript = _turn_over(tx, key, transcript, change, now=now)
    session = facts.session
    if change.session is not None and change.session is not session:
        if change.session.key != key:
            raise InvariantBroken("a change is about one session", why=f"{change.session.key} is not {key}")
        session = save_session(tx, facts.session, change.session)
    if session is not None and transcript is not None and session.session_id != transcript.head.session_id:
        raise InvariantBroken(
            "a session and its current transcript have one id",
            why=f"{session.session_id} is not {transcript.head.session_id}",
        )
    if change.forked:
        transcript = _grow(tx, session, transcript, change.forked)
    if change.place is not None:
        leaf_id = transcript.head.leaf_id if transcript is not None else None
        held = take_held(tx, change.place, key=key)
        change = replace(change, entries=hang_entries((*held, *change.entries), leaf_id))
    if change.held_by is not None:
        hold_lines(tx, change.held_by, change.entries, key=key)
    elif change.entries or change.leaf_id is not None:
        transcript = _grow(tx, session, transcript, change.entries, leaf_id=change.leaf_id)
    for move in change.inbox:
        move_inbound(tx, move, key=key, now=now)
    show_left_out(tx, change.shown, key=key)
    add_deliveries(tx, change.deliveries, key=key, now=now)
    life = session.session_id if session is not None else None
    _book(tx, change.ledger, key=key, session_id=life, now=now)
    record_decisions(tx, change.decisions, key=key, now=now)
    if change.close is not None or change.told or change.states:
        tx.attempt("states", lambda: _tell_others(tx, change, key=key, now=now))
    if session is not None:
        tx.known.put(key, session, transcript)
    return Changed(session=session, transcript=transcript.head if transcript is not None else None, change=change)


def _check_fence(tx: Transaction, fence: int) -> None:
    newest = tx.known.fence
    if newest is None:
        row = tx.one("load_meta", {"name": FENCE})
        newest = tx.known.fence = int(row[0]) if row is not None else 0
    if fence != newest:
        raise FenceLost(
            "This gateway no longer owns the session",
            why=f"it started as number {fence}, and number {newest} has started since",
            fix="Stop this process; the newer gateway goes on with the session.",
        )


def _turn_over(
    tx: Transaction, key: SessionKey, transcript: TranscriptRow | None, change: SessionChange, *, now: Instant
) -> TranscriptRow | None:
    """Close the current transcript and open the next, as far as the change says so."""
    if change.close is not None:
        if transcript is None:
            raise InvariantBroken("only a current transcript can be closed", why=f"{key} has none")
        close_transcript(tx, transcript, reason=change.close, now=now)
        transcript = None
    if change.open is not None:
        if transcript is not None:
            raise InvariantBroken("a key has one current transcript", why=f"{key} has one that is not closed")
        transcript = open_transcript(tx, key, change.open, now=now)
    return transcript


def _grow(
    tx: Transaction,
    session: Session | None,
    transcript: TranscriptRow | None,
    entries: Sequence[AnyEntry],
    *,
    leaf_id: EntryId | None = None,
) -> TranscriptRow:
    if session is None or transcript is None:
        raise InvariantBroken("words belong to a session and its current transcript")
    transcript = append_entries(tx, transcript, entries)
    if leaf_id is not None:
        transcript = move_leaf(tx, transcript, leaf_id)
    return transcript


def _book(
    tx: Transaction, ledger: Sequence[Ledger], *, key: SessionKey, session_id: SessionId | None, now: Instant
) -> None:
    """Write lines of the usage ledger, for the life that the session is in; they outlive it (LOSS-11)."""
    for line in ledger:
        tx.run(
            "insert_usage",
            {
                "at": now,
                "session_key": key,
                "session_id": session_id,
                "turn_id": line.turn_id,
                "agent_id": line.agent_id,
                "principal": line.principal,
                "channel": line.channel,
                "provider": line.provider,
                "model": line.model,
                "purpose": line.purpose,
                "input_tokens": line.input_tokens,
                "output_tokens": line.output_tokens,
                "cache_read_tokens": line.cache_read_tokens,
                "cache_write_tokens": line.cache_write_tokens,
                "cost_usd": line.cost_usd,
            },
        )


def _tell_others(tx: Transaction, change: SessionChange, *, key: SessionKey, now: Instant) -> None:
    """What other sessions hear of a change, and what this one has heard (STATE-*)."""
    if change.close is not None:
        renounce_watches(tx, key)
    take_notices(tx, change.told, key=key, now=now)
    record_states(tx, change.states, key=key, now=now)


def delete_session(
    tx: Transaction, key: SessionKey, *, now: Instant, decisions: Sequence[Decision], keep_transcripts: bool
) -> list[SessionId] | None:
    """Remove a session; what still waited for it ends (LOSS-2). None when there is none.

    The inbox keeps its rows: what a sender was told stays told (LOSS-1). The ledger keeps its lines (LOSS-11). What is
    too much for one transaction is hidden from everybody: the ids of those transcripts, for `clearing`.
    """
    session = load_session(tx, key)
    if session is None:
        return None
    transcripts = [read_transcript(row) for row in tx.all("load_transcripts", {"key": key})]
    remove = _keep_transcripts if keep_transcripts else _remove_transcripts
    hidden = remove(tx, transcripts, now=now)
    remove_session(tx, session)
    forget_held(tx, key)
    expire_inbox(tx, key, reason="session_deleted", now=now)
    drop_deliveries(tx, key, reason="session_deleted", now=now)
    record_decisions(tx, [Noted(decision=decision) for decision in decisions], key=key, now=now)
    tx.attempt("states", lambda: forget_states(tx, key, now=now))
    return hidden


def _keep_transcripts(tx: Transaction, transcripts: Sequence[TranscriptRow], *, now: Instant) -> list[SessionId]:
    """Close the transcripts, so that no search finds them; their ids, since words of them are in the index."""
    for transcript in transcripts:
        keep_out(tx, transcript.id)
        if transcript.head.closed_at is None:
            close_transcript(tx, transcript, reason="delete", now=now)
    return [transcript.head.session_id for transcript in transcripts]


def _remove_transcripts(tx: Transaction, transcripts: Sequence[TranscriptRow], *, now: Instant) -> list[SessionId]:
    """Remove so many lines as one transaction may, and hide the other transcripts; the ids of those."""
    hidden: list[SessionId] = []
    room = WHOLE_ENTRIES
    for transcript in transcripts:
        room -= transcript.head.next_seq - 1
        if room >= 0:
            remove_transcript(tx, transcript)
        else:
            hidden.append(set_aside(tx, transcript, now=now))
    return hidden


def _refuse_erased(tx: Transaction, session: Session, header: Header) -> None:
    """Let nobody who was erased come back with what they said before (LEAK-11)."""
    is_same = find_erased_at(tx, [header.id]) is not None
    erased_at = find_erased_at(tx, [session.key, *([session.owner] if session.owner else [])])
    if not is_same and (erased_at is None or (header.timestamp is not None and header.timestamp > erased_at)):
        return
    raise InvalidRequest(
        f"The transcript {header.id} is not brought back",
        why="it is of somebody who was erased, and older than that",
        fix="Import it under the key of another session if it is not theirs.",
        field="key",
    )


def import_transcript(
    tx: Transaction,
    session: Session,
    header: Header,
    entries: Sequence[AnyEntry],
    *,
    now: Instant,
    decision: Decision,
) -> bool:
    """Store a foreign transcript: current in a new session, closed in one that exists. False when it is known.

    Raises `InvalidRequest` for what was said before its person was erased.
    """
    if not begin_import(tx, session, header):
        return False
    is_new = finish_import(tx, session, header, now=now, decision=decision)
    transcript = open_transcript(tx, session.key, header, now=now, closed_as=None if is_new else "import")
    append_entries(tx, transcript, entries)
    return True


def begin_import(tx: Transaction, session: Session, header: Header) -> bool:
    """Whether a foreign transcript is to be stored; False when it is known. Raises `InvalidRequest`."""
    if find_transcript(tx, header.id) is not None:
        return False
    _refuse_erased(tx, session, header)
    return True


def finish_import(tx: Transaction, session: Session, header: Header, *, now: Instant, decision: Decision) -> bool:
    """Store the session of a foreign transcript, if its key has none, and say where it came from; whether it is new."""
    tx.known.forget(session.key)
    is_new = load_session(tx, session.key) is None
    if is_new:
        if session.session_id != header.id:
            raise InvariantBroken("a session and its current transcript have one id")
        save_session(tx, None, session)
    record_decisions(tx, [Noted(decision=decision, who="import")], key=session.key, now=now)
    return is_new
