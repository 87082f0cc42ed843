"""What was spent under each budget, known without adding up the ledger for every turn (COST-1, COST-2).

The sum of a window is asked of the ledger once, and then follows what this gateway books. Now and then it is asked
again, so that what another process booked counts too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from instar.core.model.change import Ledger, SessionFacts
from instar.core.model.ids import AgentId, ChannelName, Instant, SessionKey
from instar.core.model.query import SpendingQuery
from instar.core.policy.budget import (
    Budget,
    BudgetDecision,
    BudgetFacts,
    BudgetState,
    BudgetWindow,
    Spending,
    decide_budget,
    find_budgets,
    forecast_spending,
    resolve_window,
)
from instar.gateway.parts import GatewayParts
from instar.ports.runner import ModelSpec

__all__ = ["SpendingBook"]

_TRUSTED_MS: Final = 15 * 60_000
"""How long a sum is followed before it is asked again."""

_FORECAST_DAYS: Final = 7
"""Whole days that a forecast looks back at."""

_DAY_MS: Final = 86_400_000

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Sum:
    """What was spent under one budget in one window, as far as is known."""

    window: BudgetWindow
    spent_usd: float
    asked_at: Instant


class SpendingBook:
    """The spending of one gateway."""

    def __init__(self, parts: GatewayParts) -> None:
        self._parts = parts
        self._sums: dict[Budget, _Sum] = {}
        self._warned: set[tuple[Budget, Instant | None]] = set()

    def follow(self, key: SessionKey, ledger: Sequence[Ledger]) -> None:
        """Take note of what was just booked."""
        now, zone = self._parts.clock.now(), self._parts.clock.zone()
        for line in ledger:
            facts = BudgetFacts(
                key=key,
                agent=line.agent_id,
                person=line.principal or "",
                channel=line.channel or "",
                provider=line.provider,
                model=line.model,
            )
            for budget in find_budgets(tuple(self._sums), facts):
                known = self._sums[budget]
                if known.window == resolve_window(budget.per, now=now, zone=zone):
                    known.spent_usd += line.cost_usd or 0.0
                else:
                    # The clock was set meanwhile, or the window is over: the ledger is asked anew.
                    del self._sums[budget]

    async def check(
        self,
        facts: SessionFacts,
        agent_id: AgentId,
        *,
        person: str,
        channel: ChannelName,
        model: ModelSpec,
        starts_over: bool,
    ) -> BudgetDecision:
        """Whether a turn may begin; with `starts_over` it begins a new life of its session, where nothing was spent.

        A budget that only warns is told once in the log for each window.
        """
        now, zone = self._parts.clock.now(), self._parts.clock.zone()
        found = find_budgets(
            self._parts.config().budgets,
            BudgetFacts(
                key=facts.key,
                agent=agent_id,
                person=person,
                channel=channel,
                provider=model.provider,
                model=model.id,
            ),
        )
        if not found:
            return BudgetDecision(outcome="ok")
        spendings = [
            Spending(budget=budget, spent_usd=await self._spent(budget, facts, starts_over=starts_over))
            for budget in found
        ]
        decided = decide_budget(spendings, now=now, zone=zone)
        if decided.outcome == "warn" and decided.spending is not None:
            self._warn(decided.spending, now)
        return decided

    async def list_budgets(self) -> tuple[BudgetState, ...]:
        """How each budget for a time stands, with a forecast from the last days; those of sessions stand with them."""
        now, zone = self._parts.clock.now(), self._parts.clock.zone()
        states = []
        for budget in self._parts.config().budgets:
            if budget.per == "session":
                continue
            window = resolve_window(budget.per, now=now, zone=zone)
            spent = await self._parts.store.sum_spending(_query(budget, window))
            days = [
                await self._parts.store.sum_spending(_query(budget, resolve_window("day", now=day, zone=zone)))
                for day in (Instant(now - back * _DAY_MS) for back in range(1, _FORECAST_DAYS + 1))
            ]
            states.append(
                BudgetState(
                    spending=Spending(budget=budget, spent_usd=spent),
                    window=window,
                    forecast_usd=forecast_spending(spent, days, window=window, now=now),
                )
            )
        return tuple(states)

    async def list_spendings(
        self, facts: SessionFacts, agent_id: AgentId, *, channel: str, model: ModelSpec
    ) -> tuple[Spending, ...]:
        """What was spent under each budget that a turn of a session falls under."""
        budgets = find_budgets(
            self._parts.config().budgets,
            BudgetFacts(
                key=facts.key,
                agent=agent_id,
                person=facts.session.owner or "" if facts.session else "",
                channel=channel,
                provider=model.provider,
                model=model.id,
            ),
        )
        return tuple(
            [
                Spending(budget=budget, spent_usd=await self._spent(budget, facts, starts_over=False))
                for budget in budgets
            ]
        )

    async def _spent(self, budget: Budget, facts: SessionFacts, *, starts_over: bool) -> float:
        now = self._parts.clock.now()
        if budget.per == "session":
            session = facts.session
            if session is None or starts_over:
                return 0.0
            query = _query(budget, BudgetWindow(start=session.lifecycle.started_at), key=facts.key)
            return await self._parts.store.sum_spending(query)
        window = resolve_window(budget.per, now=now, zone=self._parts.clock.zone())
        known = self._sums.get(budget)
        if known is None or known.window != window or now - known.asked_at > _TRUSTED_MS:
            spent = await self._parts.store.sum_spending(_query(budget, window))
            known = self._sums[budget] = _Sum(window, spent, now)
            self._forget_removed()
        return known.spent_usd

    def _forget_removed(self) -> None:
        """Let go of sums of budgets that the configuration no longer has."""
        budgets = self._parts.config().budgets
        for budget in [budget for budget in self._sums if budget not in budgets]:
            del self._sums[budget]

    def _warn(self, spending: Spending, now: Instant) -> None:
        window = resolve_window(spending.budget.per, now=now, zone=self._parts.clock.zone())
        told = spending.budget, window.start
        if told not in self._warned:
            self._warned.add(told)
            log.warning(
                "budget_used_up",
                budget=spending.budget.name,
                per=spending.budget.per,
                spent_usd=round(spending.spent_usd, 4),
                limit_usd=spending.budget.limit_usd,
            )


def _query(budget: Budget, window: BudgetWindow, *, key: SessionKey | None = None) -> SpendingQuery:
    match = budget.match
    return SpendingQuery(
        since=window.start or Instant(0),
        until=window.end,
        session_key=key,
        agent=match.agent,
        person=match.person,
        channel=match.channel,
        provider=match.provider,
        model=match.model,
        key_prefix=match.key_prefix,
    )
