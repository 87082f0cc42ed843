"""A turn with what comes before it: may it cost anything (COST-2), and must notes be written first (FLUSH-2)?

Both are asked before a turn begins and never afterwards: what runs, and what goes on after a cut, comes to its end.
"""

from __future__ import annotations

from collections.abc import Sequence

from instar.core.context.compaction import effective_reserve
from instar.core.context.flush import build_flush_prompts, decide_flush
from instar.core.model.change import InboxItem, SessionFacts
from instar.core.model.ids import SessionId, SessionKey, TurnId
from instar.core.model.message import Target
from instar.core.model.session import Session
from instar.core.policy.budget import BudgetDecision
from instar.core.policy.budget_text import tell_refusal
from instar.core.policy.command_kinds import Reset
from instar.core.routing.key import is_incognito_key
from instar.core.turn.begin import will_start_over
from instar.core.turn.refuse import plan_refusal
from instar.gateway.flush import FlushRun
from instar.gateway.lane_ports import LaneWork
from instar.gateway.note_tools import can_write_notes, choose_note_tools, may_keep_notes
from instar.gateway.outside import Outside
from instar.gateway.sandboxing import may_write_workspace
from instar.gateway.turn_services import TurnServices
from instar.gateway.warm import WarmContext

__all__ = ["PreparedTurn"]


class PreparedTurn:
    """Keeps `instar.gateway.lane_ports.LaneWork` around a turn of these messages."""

    def __init__(
        self,
        services: TurnServices,
        turn: LaneWork,
        items: Sequence[InboxItem],
        *,
        warm: WarmContext,
        command: Reset | None,
        alone: bool,
    ) -> None:
        self._services = services
        self._turn = turn
        self._items = tuple(items)
        self._warm = warm
        self._alone = alone
        self._outside = Outside(services.clock)
        self._command = command
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
        config = self._services.parts.config()
        if not resume and config.budgets:
            await self._services.insist(self._refuse_used_up)
            if self._is_refused:
                return
        if not resume and self._alone and config.memory.enabled and may_keep_notes(self._services.parts, self.key):
            await self._flush()
        await self._turn.run(resume=resume)

    async def fail(self, sentence: str) -> None:
        """End it after a defect of ours."""
        if not self._is_refused:
            await self._turn.fail(sentence)

    async def _refuse_used_up(self) -> None:
        """Refuse the turn if its budget is used up. Whatever is repeated after a store that refused is asked anew: the
        budget may have freed up meanwhile.
        """
        decided = await self._check()
        if decided.outcome == "stop":
            await self._refuse(decided)

    async def _check(self) -> BudgetDecision:
        services, last = self._services, self._items[-1]
        facts = await services.parts.store.load_facts(self.key, services.clock.now())
        agent_id, asked = last.acceptance.agent_id, last.submission.options.model
        model = services.parts.models.default_of(agent_id)
        if facts.session is not None:
            model = services.resolve_model(facts.session, asked)
        return await services.spending.check(
            facts,
            agent_id,
            person=last.submission.principal or last.acceptance.owner or "",
            channel=last.submission.inbound.channel,
            model=model,
            starts_over=self._starts_over(facts),
        )

    async def _flush(self) -> None:
        """Let the agent write down what it must not forget, if its context will soon be summarised (FLUSH-2)."""
        services, last = self._services, self._items[-1]
        facts = await services.insist(lambda: services.parts.store.load_facts(self.key, services.clock.now()))
        session = facts.session
        if session is None or self._starts_over(facts):
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

    def _starts_over(self, facts: SessionFacts) -> bool:
        """Whether the turn will begin a new life of its session."""
        settings = self._services.begin_settings(self.key, self._items[-1])
        return will_start_over(facts, self._items, settings, command=self._command, alone=self._alone)

    def _may_write(self, session: Session) -> bool:
        parts = self._services.parts
        has_tool = can_write_notes(choose_note_tools(parts, session))
        return has_tool and may_write_workspace(parts.config(), session) and parts.texts.is_writable(session.agent_id)

    async def _refuse(self, decided: BudgetDecision) -> None:
        services = self._services
        text = tell_refusal(decided, services.clock.zone())
        change = plan_refusal(
            self._items,
            self.turn_id,
            text,
            decision=decided.as_decision(),
            draw=services.ids.delivery_id,
            text_max_chars=services.text_limit,
        )
        changed = await services.change("refuse_turn", self.key, lambda _facts: change)
        self._is_refused = True
        session_id = changed.session.session_id if changed.session else SessionId("")
        for item in self._items:
            services.tell_expired(item, session_id, error=text)
