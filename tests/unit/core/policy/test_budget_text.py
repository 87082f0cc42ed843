"""What people are told of a budget (COST-2)."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from instar.core.model.ids import Instant
from instar.core.policy.budget import Budget, BudgetDecision, Spending
from instar.core.policy.budget_text import describe_spending, tell_refusal

BERLIN = ZoneInfo("Europe/Berlin")
AT = Instant(1_774_994_400_000)  # 2026-04-01 00:00 in Berlin


def spent(per, usd=5.118):
    return Spending(budget=Budget(name="b", per=per, limit_usd=5.0, action="stop"), spent_usd=usd)


@pytest.mark.parametrize(("per", "words"), [("day", "for today"), ("month", "for this month")])
def test_a_refusal_says_which_budget_and_until_when(per, words):
    told = tell_refusal(BudgetDecision(outcome="stop", spending=spent(per), frees_at=AT), BERLIN)
    assert told == (
        f"No answer now: the budget {words} is used up ($5.12 of $5.00). "
        "It frees up on 2026-04-01 00:00 CEST; write again then."
    )


def test_a_session_frees_up_only_by_a_new_one():
    told = tell_refusal(BudgetDecision(outcome="stop", spending=spent("session")), BERLIN)
    assert told.endswith("of this session is used up ($5.12 of $5.00). A new session begins with its own: /new.")


def test_a_refusal_without_its_budget_is_still_a_sentence():
    assert tell_refusal(BudgetDecision(outcome="stop"), BERLIN) == "Nothing may be spent now."


def test_an_amount_is_in_dollars_and_cents():
    assert describe_spending(spent("day", 0.0)) == "$0.00 of $5.00"
