"""May the next turn spend money (COST-2)?

What belongs here: which budgets a turn falls under, the period that each counts, and the decision over what was spent.
What does not: pricing and booking (the ledger). A turn in flight finishes whatever it costs; a budget speaks before a
turn begins.

What was spent is counted beforehand, and a turn begins a little later: the clock may be set in between, the session
may start over or go on after all, and others spend. So `settle_counts` is asked in the transaction that begins the
turn, with what was booked since; where a count is of another time or life, it answers that it has to be counted anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Literal

from instar.core.model.decision import Decision
from instar.core.model.ids import Instant, SessionId

__all__ = [
    "Budget",
    "BudgetCount",
    "BudgetDecision",
    "BudgetFacts",
    "BudgetMatch",
    "BudgetPeriod",
    "BudgetState",
    "BudgetWindow",
    "Spending",
    "decide_budget",
    "find_budgets",
    "forecast_spending",
    "resolve_window",
    "settle_counts",
]

BudgetPeriod = Literal["day", "month", "session"]
"""What a limit counts: a calendar day or month of the host's zone, or one life of a session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetMatch:
    """Which turns a budget is for; None matches all. Texts are in the spelling of keys."""

    agent: str | None = None
    person: str | None = None
    channel: str | None = None
    provider: str | None = None
    model: str | None = None
    key_prefix: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """One budget; `name` is its place in the configuration."""

    name: str
    per: BudgetPeriod
    limit_usd: float
    action: Literal["warn", "stop"] = "warn"
    match: BudgetMatch = BudgetMatch()


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetFacts:
    """The turn that wants to begin. `person` and `channel` are empty where there is none."""

    key: str
    agent: str
    person: str = ""
    channel: str = ""
    provider: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetWindow:
    """From when to when spending counts; both None where a session's life is counted instead of time."""

    start: Instant | None = None
    end: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What was spent under a budget in its window, US dollars."""

    budget: Budget
    spent_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetCount:
    """What a budget has been used for, US dollars, counted up to a line of the ledger.

    It was counted in `window`; for a session's budget in the life `session_id`, None where there is none yet.
    """

    budget: Budget
    window: BudgetWindow
    spent_usd: float
    session_id: SessionId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetState:
    """How a budget stands, for whoever looks after the money.

    `forecast_usd` is what its window will have cost at the end if the last days go on; None where that cannot be said.
    """

    spending: Spending
    window: BudgetWindow
    forecast_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetDecision:
    """The answer. `spending` is the budget that gave it, None for `ok`.

    `frees_at` is when a stopped turn may go on: the end of the window, None if only a new session helps.
    """

    outcome: Literal["ok", "warn", "stop"]
    spending: Spending | None = None
    frees_at: Instant | None = None
    rule: str = "COST-2"

    def as_decision(self) -> Decision:
        """The record of this decision (WHY-1)."""
        spending = self.spending
        return Decision(
            kind="budget",
            outcome=self.outcome,
            rule=self.rule,
            inputs={
                "budget": spending.budget.name if spending else None,
                "per": spending.budget.per if spending else None,
                "spent_usd": round(spending.spent_usd, 6) if spending else None,
                "limit_usd": spending.budget.limit_usd if spending else None,
                "frees_at": self.frees_at,
            },
        )


def find_budgets(budgets: Sequence[Budget], facts: BudgetFacts) -> tuple[Budget, ...]:
    """The budgets that a turn falls under, in configured order."""
    return tuple(budget for budget in budgets if _is_match(budget.match, facts))


def resolve_window(per: BudgetPeriod, *, now: Instant, zone: tzinfo) -> BudgetWindow:
    """The window of a period around `now`: calendar days and months as the host's clock shows them."""
    if per == "session":
        return BudgetWindow()
    local = datetime.fromtimestamp(now / 1000, zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if per == "day":
        start, end = local, local + timedelta(days=1)
    else:
        start = local.replace(day=1)
        end = (start + timedelta(days=31)).replace(day=1)
    return BudgetWindow(start=_instant(start), end=_instant(end))


def settle_counts(
    counts: Sequence[BudgetCount],
    later_usd: Sequence[float],
    *,
    session_id: SessionId | None,
    now: Instant,
    zone: tzinfo,
) -> tuple[Spending, ...] | None:
    """What counts at `now` for a turn in the life `session_id`, None for one that it begins: there nothing was spent.

    `later_usd` is what was booked under each since it was counted. None where one of them has to be counted anew, since
    the clock shows another day or month than was counted, or the session is in another life.
    """
    spendings = []
    for count, later in zip(counts, later_usd, strict=True):
        if count.budget.per != "session":
            is_same = count.window == resolve_window(count.budget.per, now=now, zone=zone)
        elif session_id is None:
            spendings.append(Spending(budget=count.budget, spent_usd=0.0))
            continue
        else:
            is_same = count.session_id == session_id
        if not is_same:
            return None
        spendings.append(Spending(budget=count.budget, spent_usd=count.spent_usd + later))
    return tuple(spendings)


def decide_budget(spendings: Sequence[Spending], *, now: Instant, zone: tzinfo) -> BudgetDecision:
    """Whether a turn may begin: not while any budget that stops is used up; a warning while any other is.

    Of several that stop, the one that frees up last is told, since the turn has to wait for it.
    """
    used_up = [spending for spending in spendings if spending.spent_usd >= spending.budget.limit_usd]
    stops = [(each, resolve_window(each.budget.per, now=now, zone=zone).end) for each in used_up if _stops(each)]
    if stops:
        spending, frees_at = max(stops, key=lambda each: float("inf") if each[1] is None else each[1])
        return BudgetDecision(outcome="stop", spending=spending, frees_at=frees_at)
    if used_up:
        return BudgetDecision(outcome="warn", spending=used_up[0])
    return BudgetDecision(outcome="ok")


def forecast_spending(
    spent_usd: float, daily_usd: Sequence[float], *, window: BudgetWindow, now: Instant
) -> float | None:
    """What the window will have cost at its end if the last days go on; None for a session or without any day.

    `daily_usd` is what each of the last whole days cost.
    """
    if window.end is None or not daily_usd:
        return None
    days_left = max(0, window.end - now) / 86_400_000
    return spent_usd + sum(daily_usd) / len(daily_usd) * days_left


def _stops(spending: Spending) -> bool:
    return spending.budget.action == "stop"


def _is_match(match: BudgetMatch, facts: BudgetFacts) -> bool:
    pairs = (
        (match.agent, facts.agent),
        (match.person, facts.person),
        (match.channel, facts.channel),
        (match.provider, facts.provider),
        (match.model, facts.model),
    )
    is_same = all(wanted is None or wanted == given.lower() for wanted, given in pairs)
    return is_same and (match.key_prefix is None or facts.key.startswith(match.key_prefix))


def _instant(moment: datetime) -> Instant:
    return Instant(round(moment.timestamp() * 1000))
