"""A compaction that somebody asked for, as a run of its lane (COMPACT-20, COMPACT-24, COMPACT-25).

It takes the place of a turn: nothing runs beside it, messages wait behind it, and `/stop` ends it. Its outcome goes
to whoever asked.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from instar.core.context.build import build_view
from instar.core.context.compaction_entry import count_without_model, plan_kept_lines, plan_undo
from instar.core.context.outcome import Compacted
from instar.core.lifecycle.awareness import note_compacted
from instar.core.model.change import InboxItem, Noted, SessionChange, SessionFacts, TranscriptHead
from instar.core.model.decision import Decision
from instar.core.model.entry import AnyEntry, CompactionEntry
from instar.core.model.ids import SessionKey, TurnId
from instar.core.model.message import Target
from instar.core.model.session import Session
from instar.core.routing.grammar import is_incognito_key
from instar.core.turn.steps import hang_entries, require_session, touch_updated
from instar.errors import NotFound, StoreError, Unavailable
from instar.gateway.compactor import compact_session
from instar.gateway.outside import Outside, Stopped
from instar.gateway.turn_services import TurnServices
from instar.gateway.warm import WarmContext

__all__ = ["CompactionRun", "take_outcome"]


class CompactionRun:
    """One asked-for compaction. `done` holds its outcome; it never holds an error, since a failure is an outcome.

    With `undo` the newest compaction is dropped instead (LOSS-9); with `keep_lines` the model sees only so many of the
    last lines, without a summary (COMPACT-25).
    """

    items: tuple[InboxItem, ...] = ()

    def __init__(
        self,
        services: TurnServices,
        key: SessionKey,
        warm: WarmContext,
        *,
        instructions: str = "",
        undo: bool = False,
        keep_lines: int | None = None,
        who: str = "gateway",
    ) -> None:
        self.key = key
        self.turn_id: TurnId = services.ids.turn_id()
        self.done: asyncio.Future[Compacted] = asyncio.get_running_loop().create_future()
        self._services = services
        self._warm = warm
        self._instructions = instructions
        self._undo = undo
        self._keep_lines = keep_lines
        self._who = who
        self._outside = Outside(services.clock)

    def takes(self, route: Target | None) -> bool:  # noqa: ARG002 - no message may, wherever it comes from
        """Messages wait behind a compaction (COMPACT-24)."""
        return False

    def owns(self, run_id: TurnId) -> bool:
        """Nobody's message began it; whoever asked for it may end it by its id."""
        return run_id == self.turn_id

    def stop(self, cause: str) -> None:
        """End it; the transcript stays as it was."""
        self._outside.stop(cause)

    async def run(self, *, resume: bool) -> None:  # noqa: ARG002 - there is nothing to resume
        """Compact, and tell the outcome."""
        try:
            outcome = await self._compact()
        except Stopped:
            outcome = Compacted(status="failed", why="It was stopped.")
        except asyncio.CancelledError:
            # The gateway stops: whoever waits must not wait for ever. The command is done at the next start.
            self.done.cancel()
            raise
        if not self.done.done():
            self.done.set_result(outcome)

    async def fail(self, sentence: str) -> None:
        """Tell of a defect of ours."""
        if not self.done.done():
            self.done.set_result(Compacted(status="failed", why=sentence))

    async def _compact(self) -> Compacted:
        session = await self._services.parts.store.load_session(self.key)
        if session is None:
            return Compacted(status="skipped", why="There is no session here yet.")
        if self._undo or self._keep_lines is not None:
            return await self._write_without_model(session)
        return await compact_session(
            self._services,
            session,
            self._warm,
            model=self._services.resolve_model(session, None),
            reason="manual",
            turn_id=self.turn_id,
            outside=self._outside,
            instructions=self._instructions,
        )

    async def _write_without_model(self, session: Session) -> Compacted:
        """Undo, or keep the last lines: an entry that needs no summary."""
        store, entry_id = self._services.parts.store, self._services.ids.entry_id()
        before = (await self._warm.load(session.session_id)).context.tokens
        try:
            page = await store.load_entries(session.session_id)
        except NotFound:
            return Compacted(status="skipped", why="There is nothing in this session yet.")
        branch: list[AnyEntry] = [stored.entry for stored in page.entries]
        now = self._services.clock.now()
        entry: CompactionEntry | None
        if self._undo:
            entry = plan_undo(branch, entry_id=entry_id, at=now, tokens_before=before)
            why, outcome = "No part of this conversation is in a summary.", "undone"
        else:
            lines = self._keep_lines or 1
            entry = plan_kept_lines(branch, lines=lines, entry_id=entry_id, at=now, tokens_before=before)
            why, outcome = f"The session has no more than {lines} lines.", "kept-lines"
        window = self._services.resolve_model(session, None).context_window
        if entry is None:
            return Compacted(status="skipped", why=why, tokens_before=before, window_tokens=window)
        try:
            copy = "" if self._undo else await self._copy(page.head)
        except (StoreError, OSError) as error:
            why = f"Nothing was changed, since no copy of the transcript could be written: {error}"
            return Compacted(status="failed", why=why, tokens_before=before, window_tokens=window)
        after = build_view([*branch, entry]).context.tokens
        await self._store(session, entry, outcome=outcome, tokens_after=after)
        return Compacted(
            status="compacted", tokens_before=before, tokens_after=after, window_tokens=window, archived=copy
        )

    async def _copy(self, head: TranscriptHead) -> str:
        """Put a copy of the whole transcript aside (COMPACT-25); where it lies, empty where none may.

        No line leaves the database; the copy is for who expects one, and looks for it beside the mirror.
        """
        if is_incognito_key(self.key):
            return ""
        return await self._services.parts.archiver.archive(head, reason="bak")

    async def _store(self, session: Session, entry: CompactionEntry, *, outcome: str, tokens_after: int) -> None:
        rule = "LOSS-9" if self._undo else "COMPACT-25"
        noted = Noted(decision=Decision(kind="compact", outcome=outcome, rule=rule), who=self._who)

        def decide(facts: SessionFacts) -> SessionChange:
            current = require_session(facts, session.session_id)
            leaf = facts.transcript.leaf_id if facts.transcript else None
            counters = count_without_model(current.counters, undone=self._undo, tokens_after=tokens_after)
            return SessionChange(
                session=touch_updated(replace(current, counters=counters), facts.now),
                entries=hang_entries((entry,), leaf),
                decisions=(noted,),
                states=() if self._undo else note_compacted(),
            )

        services = self._services
        changed = await services.insist(lambda: services.change("store_compaction", self.key, decide))
        self._warm.forget()
        if changed.session is not None:
            self._services.tell_session(changed.session, "compact", turn_id=self.turn_id)


async def take_outcome(run: CompactionRun) -> Compacted:
    """What came of a compaction. Raises `Unavailable` when the gateway stopped in the middle of it."""
    await asyncio.wait([run.done])
    if run.done.cancelled():
        raise Unavailable("The gateway is stopping", fix="Try again in a moment.", retry_after_ms=2_000)
    return run.done.result()
