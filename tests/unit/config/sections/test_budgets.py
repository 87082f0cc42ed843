"""The configuration of budgets (COST-2)."""

from __future__ import annotations

import pytest

from instar.config.sections.budgets import parse_budgets
from instar.core.policy.budget import Budget, BudgetMatch
from instar.errors import ConfigError


def parse(*budgets):
    return parse_budgets({"budgets": list(budgets)})


def test_without_budgets_nothing_is_limited():
    assert parse_budgets({}) == ()


def test_a_budget_has_a_period_a_limit_and_an_action():
    match = {"agent": "Main", "person": "Ann", "channel": "tg", "model": "OpenAI/GPT", "keyPrefix": "Agent:"}
    assert parse({"per": "day", "limitUsd": 2, "action": "stop", "match": match}, {"per": "month", "limitUsd": 0}) == (
        Budget(
            name="budgets[0]",
            per="day",
            limit_usd=2.0,
            action="stop",
            match=BudgetMatch(
                agent="main", person="ann", channel="telegram", provider="openai", model="gpt", key_prefix="agent:"
            ),
        ),
        Budget(name="budgets[1]", per="month", limit_usd=0.0, action="warn"),
    )


def test_a_model_may_stand_apart_from_its_provider():
    assert parse({"per": "day", "limitUsd": 1, "match": {"provider": "OpenAI", "model": "gpt"}})[
        0
    ].match == BudgetMatch(provider="openai", model="gpt")


@pytest.mark.parametrize(
    ("budget", "path"),
    [
        ({"limitUsd": 1}, "budgets[0].per"),
        ({"per": "week", "limitUsd": 1}, "budgets[0].per"),
        ({"per": "day"}, "budgets[0].limitUsd"),
        ({"per": "day", "limitUsd": -1}, "budgets[0].limitUsd"),
        ({"per": "day", "limitUsd": 1, "action": "panic"}, "budgets[0].action"),
        ({"per": "day", "limitUsd": 1, "match": {"colour": "red"}}, "budgets[0].match.colour"),
        ("1 USD", "budgets[0]"),
    ],
)
def test_a_budget_that_cannot_be_read_is_an_error(budget, path):
    with pytest.raises(ConfigError) as caught:
        parse(budget)
    assert caught.value.path == path
