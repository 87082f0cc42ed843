"""Keeping a session's context small enough: before, during and after a turn (COMPACT-3…6, HIST-*, LOSS-9).

    before a turn   the transcript is too large a file, or more than a person allowed  ─▶ compact
    during a turn   the provider says that the prompt does not fit                     ─▶ compact, ask again
    after a turn    the window is nearly full                                          ─▶ compact

When no compaction can be made the turn goes on with less, and its person is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, overload

from instar.core.context.compaction import (
    CompactionReason,
    CompactionSettings,
    decide_bytes,
    decide_threshold,
    effective_keep,
)
from instar.core.context.envelope import read_envelope
from instar.core.context.fit import halve_budget
from instar.core.context.limits import HistorySettings, decide_history, keep_budget
from instar.core.context.outcome import Compacted
from instar.core.context.tokens import estimate_chars
from instar.core.context.view import ContextView, entry_message
from instar.core.model.change import Submission
from instar.core.model.entry import AnyMessage, UserMessage
from instar.core.model.ids import Instant, TurnId
from instar.core.model.session import Session
from instar.core.turn.prompt import Prompt, PromptSettings, build_prompt_settings, plan_prompt
from instar.errors import ModelOverflow
from instar.gateway.compact_once import compact_once
from instar.gateway.compactor import Budget, compact_session
from instar.gateway.outside import Outside
from instar.gateway.settings import dm_user_turns
from instar.gateway.turn_services import TurnServices
from instar.gateway.warm import WarmContext
from instar.ports.runner import ModelSpec

__all__ = ["CompactionNews", "LazyPrompt", "Room", "with_way_out"]


class CompactionNews(Protocol):
    """Who is told of the compactions that a turn makes (COMPACT-23)."""

    async def compaction_begins(self) -> None:
        """A model is about to be asked for a summary."""
        ...

    async def compaction_ended(self, outcome: Compacted) -> None:
        """What came of it; called for outcomes of every kind."""
        ...


class LazyPrompt(Sequence[AnyMessage]):
    """The messages of a request, planned when somebody first reads more than the newest one.

    The newest plain user message is known without planning, so a runner that looks at nothing else (the echo) costs
    the same in a session of ten lines and of a hundred thousand.
    """

    def __init__(self, view: ContextView, settings: PromptSettings, *, now: Instant) -> None:
        self._view = view
        self._settings = settings
        self._now = now
        self._planned: Prompt | None = None

    @property
    def planned(self) -> Prompt | None:
        """What was planned; None while nobody has read the messages."""
        return self._planned

    def plan(self) -> Prompt:
        """The plan, made once."""
        if self._planned is None:
            self._planned = plan_prompt(self._view, self._settings, now=self._now)
        return self._planned

    def __len__(self) -> int:
        return len(self.plan().messages)

    def __iter__(self) -> Iterator[AnyMessage]:
        return iter(self.plan().messages)

    @overload
    def __getitem__(self, index: int) -> AnyMessage: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[AnyMessage]: ...

    def __getitem__(self, index: int | slice) -> AnyMessage | Sequence[AnyMessage]:
        newest = self._newest() if index == -1 else None
        return self.plan().messages[index] if newest is None else newest

    def __reversed__(self) -> Iterator[AnyMessage]:
        newest = self._newest()
        if newest is not None:
            yield newest
        messages = self.plan().messages
        yield from reversed(messages if newest is None else messages[:-1])

    def _newest(self) -> UserMessage | None:
        """The newest message where that is known without planning: a plain one of a person, nothing left out."""
        if self._planned is not None or not self._view.items:
            return None
        newest = entry_message(self._view.items[-1].entry)
        return newest if isinstance(newest, UserMessage) and read_envelope(newest) is None else None


@dataclass(slots=True, kw_only=True)
class Room:
    """The room that one turn has for its context. `truncate` holds the limits this turn keeps by leaving out.

    `news` is told of compactions; None where nothing is compacted. `whole` is the context of the session where `warm`
    is the view of a run beside others (QUEUE-9): what is compacted is the session, and the run looks at it anew, with
    its own lines behind. Those stand in no transcript yet, so where they are too much `squeezed_tokens` bounds what
    is sent.
    """

    services: TurnServices
    warm: WarmContext
    outside: Outside
    turn_id: TurnId
    news: CompactionNews | None = None
    truncate: HistorySettings | None = None
    whole: WarmContext | None = None
    squeezed_tokens: int | None = None

    async def before(self, session: Session, model: ModelSpec) -> None:
        """Compact before the first request where the file or a person's limits ask for it (COMPACT-6, HIST-3…5)."""
        settings = self.services.compaction_settings(session.agent_id)
        if settings.max_active_bytes and await self._is_large(session, settings):
            await self._compact(session, model, reason="bytes")
        limits = self.services.parts.config().history
        view = await self.warm.load(session.session_id)
        decided = decide_history(view, limits)
        if decided.outcome == "truncate":
            self.truncate = limits
        elif decided.outcome == "summarize":
            tokens, messages = keep_budget(limits, keep_tokens=effective_keep(settings, model.window_tokens))
            done = await self._compact(
                session, model, reason="limits", budget=Budget(keep_tokens=tokens, keep_messages=messages)
            )
            # A summary that cannot be made must not keep the person from an answer: this turn sends less (HIST-4).
            self.truncate = None if done.status == "compacted" else limits

    def prompt(
        self, session: Session, model: ModelSpec, *, view: ContextView, system: str, submission: Submission
    ) -> LazyPrompt:
        """The messages of a request that is made of `view`, as it was loaded for it: `warm` may be dropped meanwhile,
        and a model may stand in minutes later.
        """
        settings = build_prompt_settings(
            model_provider=model.provider,
            model_id=model.id,
            window_tokens=model.window_tokens,
            compaction=self.services.compaction_settings(session.agent_id),
            pruning=self.services.parts.config().pruning.get(session.agent_id),
            fixed_tokens=estimate_chars(len(system)) + self.services.tool_tokens(),
            zone=self.services.clock.zone(),
        )
        turns = dm_user_turns(self.services.parts.config(), session, submission)
        budget = min(settings.budget_tokens, self.squeezed_tokens or settings.budget_tokens)
        settings = replace(settings, truncate=self.truncate, user_turns=turns, budget_tokens=budget)
        return LazyPrompt(view, settings, now=self.services.clock.now())

    async def after_overflow(self, session: Session, model: ModelSpec) -> bool:
        """Compact because the provider refused the prompt as too large (COMPACT-4); whether it may be asked again."""
        sent = self.warm.view
        done = await self._compact(session, model, reason="overflow")
        if done.status == "compacted" or self.whole is None:
            return done.status == "compacted"
        # The lines of the run itself are too much: the turn goes on with a part of them (LOSS-9).
        sent_tokens = min(sent.estimated, self.squeezed_tokens or sent.estimated)
        self.squeezed_tokens = halve_budget(sent.tail_messages(), sent_tokens)
        return self.squeezed_tokens is not None

    async def after(self, session: Session, model: ModelSpec) -> Compacted | None:
        """Compact once the window is nearly full (COMPACT-3); None when it is not."""
        settings = self.services.compaction_settings(session.agent_id)
        whole = self.warm if self.whole is None else self.whole
        await self.services.insist(lambda: whole.load(session.session_id))
        used = max(whole.view.context.tokens, session.counters.total_tokens)
        decided = decide_threshold(settings, context_tokens=used, window_tokens=model.window_tokens)
        if decided.outcome != "compact":
            return None
        return await self._compact(session, model, reason="threshold")

    async def _is_large(self, session: Session, settings: CompactionSettings) -> bool:
        """Whether what the model still sees is too large a file; what was summarised counts no more (COMPACT-6)."""
        whole = self.warm if self.whole is None else self.whole
        view = await self.services.insist(lambda: whole.load(session.session_id))
        return decide_bytes(settings, transcript_bytes=view.count_bytes()).outcome == "compact"

    async def _compact(
        self, session: Session, model: ModelSpec, *, reason: CompactionReason, budget: Budget | None = None
    ) -> Compacted:
        whole = self.warm if self.whole is None else self.whole
        if whole is not self.warm and await self._is_behind(whole, session):
            self.warm.forget()
            return Compacted(status="compacted")
        done, is_own = await compact_once(
            whole,
            self.outside,
            lambda: compact_session(
                self.services,
                session,
                whole,
                model=model,
                reason=reason,
                turn_id=self.turn_id,
                outside=self.outside,
                budget=budget,
                on_begin=self.news.compaction_begins if self.news else None,
            ),
        )
        if whole is not self.warm:
            self.warm.forget()
        if self.news is not None and is_own:
            await self.news.compaction_ended(done)
        return done

    async def _is_behind(self, whole: WarmContext, session: Session) -> bool:
        """Whether the session was compacted since this run looked at it: what it saw is shorter by now."""
        seen = self.warm.view
        now = await self.services.insist(lambda: whole.load(session.session_id))
        return bool(seen.items) and seen.compaction != now.compaction


def with_way_out(error: ModelOverflow) -> ModelOverflow:
    """The same failure, with what a person can do about it (COMPACT-4)."""
    return ModelOverflow(
        error.what,
        why=error.why,
        fix="Try again, shorten the conversation with /compact, or begin a new one with /new.",
        provider=error.provider,
        model=error.model,
    )
