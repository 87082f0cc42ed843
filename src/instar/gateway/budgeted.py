"""A turn that asks first whether it may cost anything (COST-2).

A budget speaks before a turn begins and never afterwards: what runs, and what goes on after a cut, comes to its end.
"""

from __future__ import annotations

from collections.abc import Sequence

from instar.core.model.change import InboxItem
from instar.core.model.ids import SessionId, SessionKey, TurnId
from instar.core.model.message import Target
from instar.core.policy.budget import BudgetDecision
from instar.core.policy.budget_text import tell_refusal
from instar.core.policy.command_kinds import Reset
from instar.core.turn.refuse import plan_refusal
from instar.gateway.lane_ports import LaneWork
from instar.gateway.turn_services import TurnServices

__all__ = ["BudgetedTurn"]


class BudgetedTurn:
    """Keeps `instar.gateway.lane_ports.LaneWork` around a turn of these messages."""

    def __init__(
        self, services: TurnServices, turn: LaneWork, items: Sequence[InboxItem], *, command: Reset | None
    ) -> None:
        self._services = services
        self._turn = turn
        self._items = tuple(items)
        self._starts_over = command is not None and command.mode != "soft"
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
        self._turn.stop(cause)

    async def run(self, *, resume: bool) -> None:
        """Run the turn, unless it would begin and its budget is used up."""
        if not resume and self._services.parts.config().budgets:
            decided = await self._services.insist(self._check)
            if decided.outcome == "stop":
                await self._refuse(decided)
                return
        await self._turn.run(resume=resume)

    async def fail(self, sentence: str) -> None:
        """End it after a defect of ours."""
        if not self._is_refused:
            await self._turn.fail(sentence)

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
            fresh=self._starts_over,
        )

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
        changed = await services.insist(lambda: services.change("refuse_turn", self.key, lambda _facts: change))
        self._is_refused = True
        session_id = changed.session.session_id if changed.session else SessionId("")
        for item in self._items:
            services.tell_expired(item, session_id, error=text)
