"""A turn with what comes before it: may it cost anything (COST-2), and must notes be written first (FLUSH-2)?

Both are asked before a turn begins and never afterwards: what runs, and what goes on after a cut, comes to its end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Final

from instar.core.context.compaction import effective_reserve
from instar.core.context.flush import build_flush_prompts, decide_flush
from instar.core.model.change import InboxItem, SessionChange, SessionFacts
from instar.core.model.ids import SessionId, SessionKey, TurnId
from instar.core.model.message import Target
from instar.core.model.session import Session
from instar.core.policy.budget_text import tell_refusal
from instar.core.routing.key import is_incognito_key
from instar.core.turn.refuse import plan_refusal
from instar.errors import InvariantBroken
from instar.gateway.flush import FlushRun
from instar.gateway.lane_ports import LaneWork
from instar.gateway.note_tools import can_write_notes, choose_note_tools, may_keep_notes
from instar.gateway.outside import Outside
from instar.gateway.sandboxing import may_write_workspace
from instar.gateway.turn_budget import BudgetMoved, TurnBudget
from instar.gateway.turn_services import TurnServices
from instar.gateway.warm import WarmContext

__all__ = ["PreparedTurn"]

ASKED_MAX: Final = 100
"""How often a turn asks whether it may cost anything. Each time but the first, something has changed meanwhile."""


class PreparedTurn:
    """Keeps `instar.gateway.lane_ports.LaneWork` around a turn of these messages."""

    def __init__(
        self,
        services: TurnServices,
        turn: LaneWork,
        items: Sequence[InboxItem],
        *,
        warm: WarmContext,
        budget: TurnBudget,
        alone: bool,
    ) -> None:
        self._services = services
        self._turn = turn
        self._items = tuple(items)
        self._warm = warm
        self._alone = alone
        self._outside = Outside(services.clock)
        self._budget = budget
        self._has_flushed = False
        self._is_refused = False

    @property
    def key(self) -> SessionKey:
        """The session."""
        return self._turn.key

    @property
    def turn_id(self) -> TurnId:
        """The id of the run."""
        return self._turn.turn_id

    @property
    def items(self) -> Sequence[InboxItem]:
        """The messages that have not ended yet."""
        return () if self._is_refused else self._turn.items

    def takes(self, route: Target | None) -> bool:
        """Whether a message may be put into the turn."""
        return not self._is_refused and self._turn.takes(route)

    def owns(self, run_id: TurnId) -> bool:
        """Whether the caller of one of its messages was told this id."""
        return self._turn.owns(run_id)

    def stop(self, cause: str) -> None:
        """End it at once."""
        self._outside.stop(cause)
        self._turn.stop(cause)

    async def run(self, *, resume: bool) -> None:
        """Run the turn, unless it would begin and its budget is used up; notes are written first where due."""
        if resume:
            await self._turn.run(resume=True)
            return
        for _ in range(ASKED_MAX):
            with contextlib.suppress(BudgetMoved):
                await self._begin()
                return
        raise InvariantBroken(
            "what a turn may cost is decided in the end", why=f"{self.key} was asked {ASKED_MAX} times"
        )

    async def fail(self, sentence: str) -> None:
        """End it after a defect of ours."""
        if not self._is_refused:
            await self._turn.fail(sentence)

    async def _begin(self) -> None:
        """Ask, write notes, run. Raises `BudgetMoved` when what was asked is not so any more: nothing was written."""
        services = self._services
        config = services.parts.config()
        if await services.insist(self._is_used_up):
            await self._refuse()
            return
        if not self._has_flushed and self._alone and config.memory.enabled and may_keep_notes(services.parts, self.key):
            self._has_flushed = True
            await self._flush()
        await self._turn.run(resume=False)

    async def _is_used_up(self) -> bool:
        """Whether a budget stops the turn. Raises `BudgetMoved` where it has to be asked again."""
        if not self._services.parts.config().budgets:
            return False
        decided = await self._budget.ask()
        if decided is None:
            raise BudgetMoved
        return decided.outcome == "stop"

    async def _flush(self) -> None:
        """Let the agent write down what it must not forget, if its context will soon be summarised (FLUSH-2)."""
        services, last = self._services, self._items[-1]
        facts = await services.insist(lambda: services.parts.store.load_facts(self.key, services.clock.now()))
        session = facts.session
        settings = services.begin_settings(self.key, last)
        if session is None or self._budget.starts_over(facts, settings):
            return
        compaction = services.compaction_settings(session.agent_id)
        model = services.resolve_model(session, None)
        size = 0
        if compaction.flush.force_bytes and facts.transcript is not None:
            view = await services.insist(lambda: self._warm.load(session.session_id))
            size = view.count_bytes()
        decided = decide_flush(
            compaction.flush,
            session.counters,
            window_tokens=model.window_tokens,
            reserve_tokens=effective_reserve(compaction, model.window_tokens),
            turn="heartbeat" if last.submission.options.system else "user",
            workspace_writable=self._may_write(session),
            incognito=is_incognito_key(self.key),
            transcript_bytes=size,
        )
        if decided.outcome != "flush":
            return
        run = FlushRun(
            services=services,
            session=session,
            model=services.parts.models.resolve(compaction.flush.model or "") or model,
            warm=self._warm,
            outside=self._outside,
            turn_id=services.ids.turn_id(),
            submission=last.submission,
        )
        await run.run(build_flush_prompts(compaction.flush), decided)

    def _may_write(self, session: Session) -> bool:
        parts = self._services.parts
        has_tool = can_write_notes(choose_note_tools(parts, session))
        return has_tool and may_write_workspace(parts.config(), session) and parts.texts.is_writable(session.agent_id)

    async def _refuse(self) -> None:
        """Refuse the turn. Raises `BudgetMoved` where a budget has freed up meanwhile, as while the store refused."""
        services, text = self._services, ""
        settings = services.begin_settings(self.key, self._items[-1])

        def decide(facts: SessionFacts) -> SessionChange:
            nonlocal text
            decided = self._budget.refuse(facts, settings)
            text = tell_refusal(decided, services.clock.zone())
            return plan_refusal(
                self._items,
                self.turn_id,
                text,
                decision=decided.as_decision(),
                draw=services.ids.delivery_id,
                text_max_chars=services.text_limit,
            )

        questions = self._budget.questions
        changed = await services.insist(lambda: services.change("refuse_turn", self.key, decide, spending=questions))
        self._is_refused = True
        session_id = changed.session.session_id if changed.session else SessionId("")
        for item in self._items:
            services.tell_expired(item, session_id, error=text)
