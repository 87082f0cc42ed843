"""The budgets that one turn falls under, asked before it begins and once more when it does (COST-2).

Between the question and the begin of a turn notes may be written, a disk may be full, the clock may be set, the session
may start over or go on after all, and others spend. So what was counted is settled in the transaction that begins the
turn, and in the one that refuses it: that one decides. Where it decides otherwise nothing is written, and the turn asks
again.
"""

from __future__ import annotations

from collections.abc import Sequence

from instar.core.model.change import InboxItem, SessionFacts
from instar.core.model.ids import SessionKey
from instar.core.model.query import SpendingQuery
from instar.core.policy.budget import BudgetDecision, decide_budget, settle_counts
from instar.core.policy.command_kinds import Reset
from instar.core.turn.begin import BeginSettings, will_start_over
from instar.gateway.spending import Counted
from instar.gateway.turn_services import TurnServices

__all__ = ["BudgetMoved", "TurnBudget"]


class BudgetMoved(Exception):
    """What was decided about a turn is not so any more; a signal between its transaction and the turn, not an error."""


class TurnBudget:
    """The budgets of a turn for these messages; `alone` and `command` as it begins with them."""

    def __init__(
        self,
        services: TurnServices,
        key: SessionKey,
        items: Sequence[InboxItem],
        *,
        command: Reset | None,
        alone: bool,
    ) -> None:
        self._services = services
        self._key = key
        self._items = tuple(items)
        self._command = command
        self._alone = alone
        self._counted = Counted()

    @property
    def questions(self) -> tuple[SpendingQuery, ...]:
        """What the ledger has to be asked in a transaction that is to settle what was counted."""
        return self._counted.later

    def starts_over(self, facts: SessionFacts, settings: BeginSettings) -> bool:
        """Whether the turn begins a new life of its session, where nothing was said or spent."""
        return will_start_over(facts, self._items, settings, command=self._command, alone=self._alone)

    async def ask(self) -> BudgetDecision | None:
        """Count what was spent, and say whether the turn may begin; None where it has to be asked again.

        A budget that only warns is told once in the log for each window.
        """
        services, last = self._services, self._items[-1]
        facts = await services.parts.store.load_facts(self._key, services.clock.now())
        agent_id, asked = last.acceptance.agent_id, last.submission.options.model
        model = services.parts.models.default_of(agent_id)
        if facts.session is not None:
            model = services.resolve_model(facts.session, asked)
        self._counted = await services.spending.count(
            facts,
            agent_id,
            person=last.submission.principal or last.acceptance.owner or "",
            channel=last.submission.inbound.channel,
            model=model,
        )
        decided = self._settle(facts, services.begin_settings(self._key, last))
        if decided is not None:
            services.spending.note(decided, facts.now)
        return decided

    def admit(self, facts: SessionFacts, settings: BeginSettings) -> None:
        """Let the turn begin, in the transaction of its begin. Raises `BudgetMoved` where a budget is used up."""
        if self._counted.counts:
            decided = self._settle(facts, settings)
            if decided is None or decided.outcome == "stop":
                raise BudgetMoved

    def refuse(self, facts: SessionFacts, settings: BeginSettings) -> BudgetDecision:
        """Why the turn gets no answer, in the transaction that refuses it. Raises `BudgetMoved` where it may begin."""
        decided = self._settle(facts, settings)
        if decided is None or decided.outcome != "stop":
            raise BudgetMoved
        return decided

    def _settle(self, facts: SessionFacts, settings: BeginSettings) -> BudgetDecision | None:
        """The decision over what was counted and, in a transaction, what was booked since."""
        counts, zone = self._counted.counts, self._services.clock.zone()
        session = facts.session
        goes_on = session is not None and not self.starts_over(facts, settings)
        spendings = settle_counts(
            counts,
            facts.spent_usd or (0.0,) * len(counts),
            session_id=session.session_id if session is not None and goes_on else None,
            now=facts.now,
            zone=zone,
        )
        return decide_budget(spendings, now=facts.now, zone=zone) if spendings is not None else None
