"""Carrying out a compaction: ask a model for the record of what goes, check it, store it (COMPACT-13…25, LOSS-9).

Nothing is removed: an entry is added after which the model sees the record instead. The session goes on taking
messages meanwhile; they wait in its lane (COMPACT-24). When every attempt fails the transcript is as it was, and the
caller is told why (COMPACT-18).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import structlog

from instar.core.context.backoff import find_next_attempt, must_rest, note_failure, note_success
from instar.core.context.chunks import plan_chunks
from instar.core.context.compaction import (
    CompactionPlan,
    CompactionReason,
    CompactionSettings,
    NoCompaction,
    plan_compaction,
    without_oversized,
)
from instar.core.context.compaction_entry import build_entry, describe_compaction
from instar.core.context.outcome import Compacted
from instar.core.context.summary import (
    SummaryRequest,
    build_correction,
    build_history_request,
    build_prefix_request,
    check_summary,
    join_summary,
)
from instar.core.lifecycle.awareness import note_compacted
from instar.core.model.change import Changed, Ledger, Noted, SessionChange, SessionFacts
from instar.core.model.decision import Decision
from instar.core.model.entry import CompactionEntry, TextBlock, UserMessage
from instar.core.model.ids import SessionKey, TurnId
from instar.core.model.session import Session
from instar.core.turn.steps import require_session
from instar.errors import ModelError
from instar.gateway.outside import Outside, take_answer
from instar.gateway.turn_services import TurnServices
from instar.gateway.warm import WarmContext
from instar.ports.runner import ModelRequest, ModelSpec

__all__ = ["Budget", "compact_session"]

SUMMARY_TIMEOUT_S = 300.0
"""The longest one request for a summary may take."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a compaction keeps word for word; None takes the budget of the settings (COMPACT-2)."""

    keep_tokens: int | None = None
    keep_messages: int | None = None


@dataclass(slots=True)
class _Asking:
    """The requests of one compaction: who is asked for whom, and what it took."""

    services: TurnServices
    session: Session
    model: ModelSpec
    turn_id: TurnId
    outside: Outside
    window_tokens: int | None
    ledger: list[Ledger] = field(default_factory=list)

    async def ask(self, request: SummaryRequest) -> str:
        """The text of one answer. Raises `ModelError`, and `Stopped` when somebody stops the compaction."""
        return await self.outside.wait(self._ask(request))

    async def _ask(self, request: SummaryRequest) -> str:
        finished = await take_answer(
            self.services.parts.runner,
            ModelRequest(
                session_key=self.session.key,
                turn_id=self.turn_id,
                model=self.model,
                system=request.system,
                messages=(UserMessage(content=request.prompt, timestamp=None),),
                timeout_s=SUMMARY_TIMEOUT_S,
            ),
        )
        usage = finished.message.usage
        self.ledger.append(
            Ledger(
                turn_id=self.turn_id,
                agent_id=self.session.agent_id,
                provider=finished.message.provider,
                model=finished.message.model,
                input_tokens=usage.input,
                output_tokens=usage.output,
                cache_read_tokens=usage.cache_read,
                cache_write_tokens=usage.cache_write,
                cost_usd=finished.cost_usd,
                principal=self.session.owner,
                channel=self.session.origin.channel,
                purpose="compaction",
            )
        )
        return "".join(block.text for block in finished.message.content if isinstance(block, TextBlock))


async def compact_session(
    services: TurnServices,
    session: Session,
    warm: WarmContext,
    *,
    model: ModelSpec,
    reason: CompactionReason,
    turn_id: TurnId,
    outside: Outside,
    instructions: str = "",
    budget: Budget | None = None,
    on_begin: Callable[[], Awaitable[None]] | None = None,
) -> Compacted:
    """Compact the context of a session, or say why not. Never raises a `ModelError`: that is a failed compaction.

    `on_begin` is awaited once it is certain that a model will be asked.
    """
    settings = services.compaction_settings(session.agent_id)
    window = model.window_tokens
    view = await warm.load(session.session_id)
    if must_rest(session, reason, now=services.clock.now(), estimated_tokens=view.estimated):
        return Compacted(status="resting", why="The last summary could not be made, and it is not time for another.")
    kept = budget or Budget()
    plan = plan_compaction(
        view,
        settings,
        window_tokens=window,
        reason=reason,
        keep_tokens=kept.keep_tokens,
        keep_messages=kept.keep_messages,
    )
    if isinstance(plan, NoCompaction):
        await _note(services, session.key, turn_id, _skipped(plan, reason))
        return Compacted(
            status="skipped", why=plan.sentence, tokens_before=view.context.tokens, window_tokens=model.context_window
        )
    if on_begin is not None:
        await on_begin()
    asked = services.summary_model(settings, model)
    asking = _Asking(services, session, asked, turn_id, outside, model.context_window)
    # What is summarised has to fit into the window of the model that does it, which may be a smaller one.
    asked_window = min(window, asked.context_window or window)
    attempts = [plan, without_oversized(plan, settings, window_tokens=asked_window)]
    why = "The model gave no summary that could be used."
    for attempt in attempts:
        if attempt is None:
            continue
        try:
            summary = await _summarise(asking, attempt, settings, window=asked_window, instructions=instructions)
        except ModelError as error:
            why = f"{error.what}."
            log.warning("compaction_attempt_failed", session_key=session.key, code=error.code)
            continue
        if summary is not None:
            return await _store(services, session, warm, attempt, summary, asking=asking)
    await _fail(services, session, plan, outcome="failed", asking=asking)
    return Compacted(status="failed", why=why, tokens_before=plan.tokens_before, window_tokens=model.context_window)


async def _summarise(
    asking: _Asking, plan: CompactionPlan, settings: CompactionSettings, *, window: int, instructions: str
) -> str | None:
    """The checked text of a plan's summary; None when it cannot count (COMPACT-14, COMPACT-18)."""
    wishes = "\n".join(part for part in (settings.instructions, instructions) if part)
    exact = settings.keeps_identifiers
    record = plan.previous_summary
    for chunk in plan_chunks(plan.history, window):
        request = build_history_request(chunk, previous=record, instructions=wishes, keep_exact=exact)
        record = await asking.ask(request)
    prefix = ""
    for chunk in plan_chunks(plan.prefix, window):
        told = build_prefix_request(chunk, instructions=wishes, keep_exact=exact)
        prefix = "\n\n".join(part for part in (prefix, await asking.ask(told)) if part)
    for attempt in range(settings.check_retries + 1):
        summary = join_summary(record, prefix, plan.files)
        check = check_summary(summary, plan.identifiers)
        if check.ok:
            return summary
        if check.empty or attempt == settings.check_retries:
            return None
        record = await asking.ask(build_correction(record, check.missing))
    return None


async def _store(
    services: TurnServices,
    session: Session,
    warm: WarmContext,
    plan: CompactionPlan,
    summary: str,
    *,
    asking: _Asking,
) -> Compacted:
    """Commit the compaction entry with its counters and costs, if it makes the context smaller (LOSS-9)."""
    entry_id = services.ids.entry_id()
    stored: list[CompactionEntry] = []
    after = plan.estimate_after(summary)

    def decide(facts: SessionFacts) -> SessionChange:
        stored.clear()
        current = require_session(facts, session.session_id)
        leaf = facts.transcript.leaf_id if facts.transcript else None
        entry = build_entry(plan, summary, entry_id=entry_id, parent_id=leaf, at=facts.now)
        if entry is None:
            return SessionChange()
        stored.append(entry)
        decision = describe_compaction(plan, outcome="compacted", tokens_after=after)
        counters = replace(current.counters, compaction_count=current.counters.compaction_count + 1, total_tokens=after)
        return SessionChange(
            session=note_success(replace(current, counters=counters)),
            entries=(entry,),
            ledger=tuple(asking.ledger),
            decisions=(Noted(decision=decision, turn_id=asking.turn_id),),
            states=note_compacted(),
        )

    changed: Changed = await services.insist(lambda: services.change("store_compaction", session.key, decide))
    warm.follow(changed)
    if not stored:
        await _fail(services, session, plan, outcome="not-smaller", asking=asking, tokens_after=after)
        why = "The summary would not have made the context smaller."
        return Compacted(status="failed", why=why, tokens_before=plan.tokens_before, window_tokens=asking.window_tokens)
    count = 0
    if changed.session is not None:
        count = changed.session.counters.compaction_count
        services.tell_session(changed.session, "compact", turn_id=asking.turn_id)
    return Compacted(
        status="compacted",
        tokens_before=plan.tokens_before,
        tokens_after=after,
        window_tokens=asking.window_tokens,
        count=count,
    )


async def _fail(
    services: TurnServices,
    session: Session,
    plan: CompactionPlan,
    *,
    outcome: str,
    asking: _Asking,
    tokens_after: int | None = None,
) -> None:
    """Book what it cost, and let automatic attempts rest (COMPACT-18)."""

    def decide(facts: SessionFacts) -> SessionChange:
        failed = note_failure(require_session(facts, session.session_id), facts.now, tokens=tokens_after)
        decision = describe_compaction(
            plan, outcome=outcome, tokens_after=tokens_after, again_at=find_next_attempt(failed)
        )
        noted = (Noted(decision=decision, turn_id=asking.turn_id),)
        return SessionChange(session=failed, ledger=tuple(asking.ledger), decisions=noted)

    await services.insist(lambda: services.change("fail_compaction", session.key, decide))


async def _note(services: TurnServices, key: SessionKey, turn_id: TurnId, decision: Decision) -> None:
    change = SessionChange(decisions=(Noted(decision=decision, turn_id=turn_id),))
    await services.insist(lambda: services.change("note_compaction", key, lambda _facts: change))


def _skipped(plan: NoCompaction, reason: CompactionReason) -> Decision:
    return Decision(kind="compact", outcome=plan.code, rule="COMPACT-11", inputs={"reason": reason})
