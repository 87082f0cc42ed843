"""What was spent under each budget, known without adding up the ledger for every turn (COST-1, COST-2).

The sum of a window is asked of the ledger once; from then on only the lines that came since are added. Now and then it
is asked again as a whole, so that what was changed about older lines (an erasure) counts too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import structlog

from instar.core.model.change import SessionFacts
from instar.core.model.ids import AgentId, ChannelName, Instant, SessionId
from instar.core.model.query import SpendingQuery
from instar.core.policy.budget import (
    Budget,
    BudgetCount,
    BudgetDecision,
    BudgetFacts,
    BudgetState,
    BudgetWindow,
    Spending,
    find_budgets,
    forecast_spending,
    resolve_window,
)
from instar.gateway.parts import GatewayParts
from instar.ports.runner import ModelSpec

__all__ = ["Counted", "SpendingBook"]

_TRUSTED_MS: Final = 15 * 60_000
"""How long lines are added to a sum before it is asked again."""

_FORECAST_DAYS: Final = 7
"""Whole days that a forecast looks back at."""

_DAY_MS: Final = 86_400_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What the budgets of a turn have been used for, and of each the question what was booked since."""

    counts: tuple[BudgetCount, ...] = ()
    later: tuple[SpendingQuery, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sum:
    """What was spent under one budget in one window, up to a line of the ledger."""

    window: BudgetWindow
    usd: float
    last_line: int
    asked_at: Instant


class SpendingBook:
    """The spending of one gateway."""

    def __init__(self, parts: GatewayParts) -> None:
        self._parts = parts
        self._sums: dict[Budget, _Sum] = {}
        self._warned: set[tuple[Budget, Instant | None]] = set()

    async def count(
        self, facts: SessionFacts, agent_id: AgentId, *, person: str, channel: ChannelName, model: ModelSpec
    ) -> Counted:
        """What counts for a turn of a session, whether it goes on in the life that the session is in or begins one."""
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
        counted = [await self._count(budget, facts) for budget in found]
        return Counted(counts=tuple(count for count, _ in counted), later=tuple(query for _, query in counted))

    def note(self, decided: BudgetDecision, now: Instant) -> None:
        """Tell in the log of a budget that only warns, once for each window."""
        if decided.outcome == "warn" and decided.spending is not None:
            self._warn(decided.spending, now)

    async def list_budgets(self) -> tuple[BudgetState, ...]:
        """How each budget for a time stands, with a forecast from the last days; those of sessions stand with them."""
        now, zone = self._parts.clock.now(), self._parts.clock.zone()
        states = []
        for budget in self._parts.config().budgets:
            if budget.per == "session":
                continue
            window = resolve_window(budget.per, now=now, zone=zone)
            spent = (await self._parts.store.sum_spending(_query(budget, window))).usd
            days = [
                (await self._parts.store.sum_spending(_query(budget, resolve_window("day", now=day, zone=zone)))).usd
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
        counts = [(await self._count(budget, facts))[0] for budget in budgets]
        return tuple(Spending(budget=count.budget, spent_usd=count.spent_usd) for count in counts)

    async def _count(self, budget: Budget, facts: SessionFacts) -> tuple[BudgetCount, SpendingQuery]:
        """What one budget has been used for, and the question what was booked since."""
        if budget.per == "session":
            return await self._count_life(budget, facts)
        now = facts.now
        window = resolve_window(budget.per, now=now, zone=self._parts.clock.zone())
        known, query = self._sums.get(budget), _query(budget, window)
        if known is None or known.window != window or not 0 <= now - known.asked_at <= _TRUSTED_MS:
            known = _Sum(window=window, usd=0.0, last_line=0, asked_at=now)
            self._forget_removed()
        later = await self._parts.store.sum_spending(replace(query, after_line=known.last_line))
        known = self._sums[budget] = replace(known, usd=known.usd + later.usd, last_line=later.last_line)
        count = BudgetCount(budget=budget, window=window, spent_usd=known.usd)
        return count, replace(query, after_line=known.last_line)

    async def _count_life(self, budget: Budget, facts: SessionFacts) -> tuple[BudgetCount, SpendingQuery]:
        """The same of a session's budget: what its life has cost, whatever the clock said meanwhile."""
        session = facts.session
        session_id = session.session_id if session is not None else None
        # Lines of before the column count by their time; under a key without a session there is nothing to find.
        since = session.lifecycle.started_at if session is not None else facts.now
        query = replace(
            _query(budget, BudgetWindow(start=since)), session_key=facts.key, session_id=session_id or SessionId("")
        )
        spent = await self._parts.store.sum_spending(query)
        count = BudgetCount(budget=budget, window=BudgetWindow(), spent_usd=spent.usd, session_id=session_id)
        return count, replace(query, after_line=spent.last_line)

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


def _query(budget: Budget, window: BudgetWindow) -> SpendingQuery:
    match = budget.match
    return SpendingQuery(
        since=window.start or Instant(0),
        until=window.end,
        agent=match.agent,
        person=match.person,
        channel=match.channel,
        provider=match.provider,
        model=match.model,
        key_prefix=match.key_prefix,
    )
