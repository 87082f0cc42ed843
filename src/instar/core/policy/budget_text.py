"""What a person is told of a budget: that it is used up, when it frees up, and how far it is (COST-2)."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Final

from instar.core.model.ids import Instant
from instar.core.policy.budget import BudgetDecision, BudgetPeriod, Spending

__all__ = ["describe_spending", "tell_refusal"]

_PERIODS: Final[dict[BudgetPeriod, str]] = {
    "day": "for today",
    "month": "for this month",
    "session": "of this session",
}


def tell_refusal(decision: BudgetDecision, zone: tzinfo) -> str:
    """The sentence for whoever wrote while a budget that stops was used up; `decision` is one that stops."""
    spending = decision.spending
    if spending is None:
        return "Nothing may be spent now."
    head = f"No answer now: the budget {_PERIODS[spending.budget.per]} is used up ({describe_spending(spending)})."
    if decision.frees_at is None:
        return f"{head} A new session begins with its own: /new."
    return f"{head} It frees up on {_moment(decision.frees_at, zone)}; write again then."


def describe_spending(spending: Spending) -> str:
    """``$4.10 of $5.00``."""
    return f"${spending.spent_usd:.2f} of ${spending.budget.limit_usd:.2f}"


def _moment(at: Instant, zone: tzinfo) -> str:
    return f"{datetime.fromtimestamp(at / 1000, tz=UTC).astimezone(zone):%Y-%m-%d %H:%M %Z}".rstrip()
