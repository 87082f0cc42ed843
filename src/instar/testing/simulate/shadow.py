"""A shadow of the store: every commit as it passes, held against what came before it.

`WatchedStore` stands below the fuse, so it sees what was really committed, also where the process died before anybody
heard of it. The shadow keeps what rows forget: that a message ended before, what a transcript held, how often a session
started over. Each commit is checked at once; the last word is spoken by `checks` over the rows themselves.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from instar.core.model.change import (
    Acceptance,
    Changed,
    InboxItem,
    InboxState,
    NewDelivery,
    SessionChange,
    TranscriptHead,
)
from instar.core.model.entry import AnyEntry, AssistantMessage, Header, MessageEntry, ToolCall, ToolResultMessage
from instar.core.model.ids import DeliveryId, InboundId, SessionId, SessionKey, TurnId
from instar.core.model.pairing_change import PairingChange
from instar.core.model.query import Recovered
from instar.core.model.session import Session
from instar.core.turn.recover import read_steered
from instar.testing.simulate.findings import Findings
from instar.testing.simulate.forks import Forks
from instar.testing.simulate.grown import ShadowTranscript, find_secrets
from instar.testing.simulate.purse import Purse
from instar.testing.simulate.resets import Resets
from instar.testing.simulate.stand_ins import StandIns
from instar.testing.simulate.strangers import Strangers

__all__ = ["Row", "Shadow", "Watchers"]

_OPEN = ("waiting", "running")


@dataclass(slots=True)
class Row:
    """A message as the store has it. `taken` are the turns whose transcript has its words, each with the number of the
    start after which it took them: one of its own, and one that it was only put into (QUEUE-7).
    """

    item: InboxItem
    state: InboxState
    turn_id: TurnId | None
    reason: str | None = None
    taken: dict[TurnId, int] = field(default_factory=dict)

    @property
    def has_ended(self) -> bool:
        """Whether it will move no more."""
        return self.state not in _OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Watchers:
    """Those who look at every commit, each with one promise in mind."""

    resets: Resets
    strangers: Strangers
    purse: Purse
    stand_ins: StandIns
    forks: Forks


class Shadow:
    """What the store holds, by what passed on its way there."""

    def __init__(self, findings: Findings, watchers: Watchers, *, has_fanout: bool) -> None:
        self.findings = findings
        self._resets = watchers.resets
        self.watchers = watchers
        self._has_fanout = has_fanout
        self.rows: dict[InboundId, Row] = {}
        self.transcripts: dict[SessionId, ShadowTranscript] = {}
        self.sessions: dict[SessionKey, Session] = {}
        self.deliveries: dict[DeliveryId, NewDelivery] = {}
        self.delivery_keys: dict[DeliveryId, SessionKey] = {}
        self.sending: set[DeliveryId] = set()
        self.doubted: Counter[DeliveryId] = Counter()
        self.deleted: set[SessionKey] = set()
        self.ledger: Counter[str] = Counter()
        self.commits = 0
        self.starts = 0
        self._trace = hashlib.sha256()

    @property
    def trace(self) -> str:
        """The way that the story went, as a hash of everything that was committed."""
        return self._trace.hexdigest()

    def _note(self, *facts: object) -> None:
        self._trace.update(repr(facts).encode())

    # --- what passes --------------------------------------------------------------------------------------------------

    def accepted(self, item: InboxItem, acceptance: Acceptance) -> None:
        """A message was stored at the door."""
        if item.submission.session_key is None:
            self.watchers.strangers.accepted(item.submission.inbound, acceptance)
        self._note("accepted", item.inbound_id, item.state, item.received_at)
        self.rows[item.inbound_id] = Row(item=item, state=item.state, turn_id=item.turn_id, reason=item.reason)

    def changed(self, name: str, key: SessionKey, changed: Changed) -> None:
        """A transaction about one session was committed."""
        change, session = changed.change, changed.session
        self.commits += 1
        moves = [(move.inbound_id, move.state, move.reason) for move in change.inbox]
        owed = [delivery.delivery_id for delivery in change.deliveries]
        self._note(name, key, [entry.id for entry in (*change.forked, *change.entries)], moves, owed)
        self._resets.watch(name, key, change, self.sessions.get(key))
        self._watch_people(name, key, change)
        self._check_flush(name, key)
        first = self.rows[moves[0][0]].item.submission.inbound.text if moves and moves[0][0] in self.rows else ""
        self.watchers.forks.watch(name, key, changed, sessions=self.sessions, transcripts=self.transcripts, text=first)
        self._turn_over(key, change, changed.transcript)
        if session is not None:
            self._follow_session(key, session)
        if changed.transcript is not None:
            # What a run beside others holds joins the transcript when the run ends (QUEUE-9).
            entries = change.entries if change.held_by is None else ()
            self._grow(changed.transcript, (*change.forked, *entries))
        self._follow_fork(key)
        for move in change.inbox:
            self._move(move.inbound_id, move.state, move.turn_id, move.reason)
        self._check_running(key, change)
        for delivery in change.deliveries:
            self.findings.require(
                delivery.delivery_id not in self.deliveries, "LOSS-5", f"{delivery.delivery_id} is owed twice"
            )
            self.deliveries[delivery.delivery_id] = delivery
            self.delivery_keys[delivery.delivery_id] = key
        for line in change.ledger:
            self.ledger[line.model] += line.input_tokens + line.output_tokens

    def deleted_session(self, key: SessionKey, *, keep_transcripts: bool) -> None:
        """A session was removed."""
        self._note("deleted", key)
        self.sessions.pop(key, None)
        self.deleted.add(key)
        self._resets.forget(key)
        self._follow_fork(key)
        for transcript in self.transcripts.values():
            if transcript.key == key:
                transcript.is_closed = True
                transcript.is_removed = transcript.is_removed or not keep_transcripts
        for row in self.rows.values():
            if row.item.acceptance.session_key == key and not row.has_ended:
                row.state, row.reason = "expired", "session_deleted"

    def forget_session(self, key: SessionKey) -> None:
        """A session went with its person."""
        self.sessions.pop(key, None)
        self._resets.forget(key)
        self._follow_fork(key)

    def brought_back(self, session: Session, header: Header, entries: Sequence[AnyEntry]) -> None:
        """A transcript came back from its archive, as the current one where its session had none."""
        self._note("brought back", session.key, header.id)
        transcript = self.transcripts.get(SessionId(header.id))
        if transcript is None:
            self.findings.report("LOSS-8", f"{header.id} came back to {session.key} and was never there")
            return
        self.findings.require(
            transcript.key == session.key, "LOSS-8", f"{header.id} of {transcript.key} came back to {session.key}"
        )
        self.findings.require(
            [entry.id for entry in transcript.entries] == [entry.id for entry in entries],
            "LOSS-8",
            f"{header.id} came back with {len(entries)} entries of {len(transcript.entries)}",
        )
        transcript.is_removed = False
        transcript.leaf_id = entries[-1].id if entries else None
        transcript.is_closed = session.key in self.sessions
        self.sessions.setdefault(session.key, session)
        self._follow_fork(session.key)

    def recovered(self, recovered: Recovered) -> None:
        """A gateway started on these rows."""
        self._note("recovered", recovered.fence)
        self.starts += 1
        for delivery_id in recovered.unknown:
            self.doubted[delivery_id] += delivery_id in self.sending
        self.sending.clear()
        open_rows = {row.item.inbound_id for row in self.rows.values() if not row.has_ended}
        found = {item.inbound_id for item in (*recovered.running, *recovered.waiting)}
        self.findings.require(open_rows == found, "LOSS-4", f"a start found {sorted(found)}, not {sorted(open_rows)}")

    def paired(self, change: PairingChange) -> None:
        """The owner said who may write."""
        self._note("paired", change.approve, change.revoke, change.remove_code)
        self.watchers.strangers.answered(change)

    # --- its parts ----------------------------------------------------------------------------------------------------

    def _watch_people(self, name: str, key: SessionKey, change: SessionChange) -> None:
        """Whom a commit is for, who pays for it, and who answered (LEAK-2, COST-2, CFG-13)."""
        watchers = self.watchers
        items = [self.rows[move.inbound_id].item for move in change.inbox if move.inbound_id in self.rows]
        last = items[-1] if items else None
        person = (last.submission.principal or last.acceptance.owner or "") if last is not None else ""
        watchers.purse.watch(name, key, change, self.sessions.get(key), person=person)
        watchers.stand_ins.watch(name, key, change)
        for delivery in change.deliveries:
            watchers.strangers.owed(delivery)

    def _follow_fork(self, key: SessionKey) -> None:
        """What a thread under this key would take along has changed."""
        session = self.sessions.get(key)
        self.watchers.forks.follow(key, self.transcripts.get(session.session_id) if session is not None else None)

    def _turn_over(self, key: SessionKey, change: SessionChange, head: TranscriptHead | None) -> None:
        if change.close is not None:
            for transcript in self.transcripts.values():
                if transcript.key == key and not transcript.is_closed:
                    transcript.is_closed = True
        if change.open is None or head is None:
            return
        known = self.transcripts.get(change.open.id)
        if known is not None:
            self.findings.require(known.key == key, "LOSS-6", f"{known.session_id} was resumed under {key}")
            known.is_closed = False
            return
        self.transcripts[change.open.id] = ShadowTranscript(
            session_id=change.open.id,
            key=key,
            opened_by=change.close or "",
            forked=frozenset(entry.id for entry in change.forked),
            brought=frozenset(secret for entry in change.forked for secret in find_secrets(entry)),
        )

    def _follow_session(self, key: SessionKey, session: Session) -> None:
        before, now = self.sessions.get(key), session.lifecycle.updated_at
        was = before.lifecycle.updated_at if before is not None else None
        if was is not None and now is not None:
            self.findings.require(now >= was, "ENTRY-9", f"updatedAt of {key} went back by {was - now} ms")
        self.sessions[key] = session

    def _grow(self, head: TranscriptHead, entries: Sequence[AnyEntry]) -> None:
        transcript = self.transcripts.get(head.session_id)
        if transcript is None:
            self.findings.report("LOSS-6", f"{head.session_id} grows and was never opened")
            return
        where, transcript.leaf_id = head.session_id, head.leaf_id
        for entry in entries:
            if transcript.is_closed:
                self.findings.report("LOSS-6", f"{where} is closed and grows")
            self.findings.require(entry.id not in transcript.ids, "TRANS-3", f"{where} has {entry.id} twice")
            hangs = entry.parent_id in transcript.ids if entry.parent_id else not transcript.ids
            self.findings.require(
                hangs, "TRANS-3", f"{where}: the parent {entry.parent_id} of {entry.id} does not exist"
            )
            transcript.entries.append(entry)
            transcript.ids.add(entry.id)
            self._follow_calls(transcript, entry)
        self.findings.require(
            head.next_seq == len(transcript.entries) + 1,
            "LOSS-3",
            f"{where} has {head.next_seq - 1} entries in its head and {len(transcript.entries)} that were committed",
        )

    def _follow_calls(self, transcript: ShadowTranscript, entry: AnyEntry) -> None:
        message = entry.message if isinstance(entry, MessageEntry) else None
        if isinstance(message, AssistantMessage):
            transcript.open_calls |= {block.id for block in message.content if isinstance(block, ToolCall)}
        elif isinstance(message, ToolResultMessage):
            self.findings.require(
                message.tool_call_id in transcript.open_calls,
                "LOSS-4",
                f"{transcript.session_id} has a result too many for {message.tool_call_id}",
            )
            transcript.open_calls.discard(message.tool_call_id)

    def _move(self, inbound_id: InboundId, state: InboxState, turn_id: TurnId | None, reason: str | None) -> None:
        row = self.rows.get(inbound_id)
        if row is None:
            self.findings.report("LOSS-2", f"{inbound_id} moves and was never accepted")
            return
        self.findings.require(
            not row.has_ended, "LOSS-2", f"{inbound_id} ended as {row.state} and ends once more as {state}"
        )
        row.state, row.turn_id, row.reason = state, turn_id or row.turn_id, reason
        taker = turn_id if state in {"running", "merged"} else read_steered(replace(row.item, reason=reason))
        if taker is not None:
            row.taken.setdefault(taker, self.starts)

    def _check_flush(self, name: str, key: SessionKey) -> None:
        """Memory is flushed once for each compaction (FLUSH-5)."""
        before = self.sessions.get(key)
        if name == "begin_flush" and before is not None:
            counters = before.counters
            self.findings.require(
                counters.memory_flush_compaction_count != counters.compaction_count,
                "FLUSH-5",
                f"{key} is flushed again before compaction {counters.compaction_count + 1}",
            )

    def _check_running(self, key: SessionKey, change: SessionChange) -> None:
        """One turn at a time but for fanout (QUEUE-2); no call is left open once nothing runs (LOSS-4)."""
        running = {
            row.turn_id
            for row in self.rows.values()
            if row.state == "running" and row.item.acceptance.session_key == key
        }
        if len(running) > 1 and not self._has_fanout:
            self.findings.report("QUEUE-2", f"{key} has {len(running)} turns at once: {sorted(map(str, running))}")
        if change.inbox and not running:
            left = [t for t in self.transcripts.values() if t.key == key and t.open_calls and not t.is_removed]
            for transcript in left:
                self.findings.report(
                    "LOSS-4", f"{transcript.session_id} has calls without a result: {sorted(transcript.open_calls)}"
                )
