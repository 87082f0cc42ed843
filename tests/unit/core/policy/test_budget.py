"""May the next turn spend money (COST-2)?"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from instar.core.model.ids import Instant, SessionId
from instar.core.policy.budget import (
    Budget,
    BudgetCount,
    BudgetDecision,
    BudgetFacts,
    BudgetMatch,
    BudgetWindow,
    Spending,
    decide_budget,
    find_budgets,
    forecast_spending,
    resolve_window,
    settle_counts,
)

BERLIN = ZoneInfo("Europe/Berlin")


def at(*parts, zone=BERLIN):
    return Instant(int(datetime(*parts, tzinfo=zone).timestamp() * 1000))


NOW = at(2026, 3, 10, 15, 30)


def budget(per="day", limit=1.0, action="stop", name="budgets[0]", **match):
    return Budget(name=name, per=per, limit_usd=limit, action=action, match=BudgetMatch(**match))


FACTS = BudgetFacts(
    key="agent:main:telegram:direct:7",
    agent="main",
    person="Ann",
    channel="telegram",
    provider="openai",
    model="GPT",
)


@pytest.mark.parametrize(
    ("match", "found"),
    [
        ({}, True),
        ({"agent": "main", "person": "ann", "channel": "telegram", "provider": "openai", "model": "gpt"}, True),
        ({"agent": "other"}, False),
        ({"person": "bob"}, False),
        ({"channel": "irc"}, False),
        ({"provider": "anthropic"}, False),
        ({"model": "opus"}, False),
        ({"key_prefix": "agent:main:telegram:"}, True),
        ({"key_prefix": "agent:main:cron:"}, False),
    ],
)
def test_a_budget_is_for_the_turns_it_matches(match, found):
    assert bool(find_budgets([budget(**match)], FACTS)) is found


@pytest.mark.parametrize(
    ("per", "now", "start", "end"),
    [
        ("day", NOW, at(2026, 3, 10), at(2026, 3, 11)),
        ("day", at(2026, 3, 29, 12), at(2026, 3, 29), at(2026, 3, 30)),
        ("month", NOW, at(2026, 3, 1), at(2026, 4, 1)),
        ("month", at(2026, 12, 31, 23, 59), at(2026, 12, 1), at(2027, 1, 1)),
        ("session", NOW, None, None),
    ],
)
def test_days_and_months_are_those_of_the_hosts_clock(per, now, start, end):
    assert resolve_window(per, now=now, zone=BERLIN) == BudgetWindow(start=start, end=end)


def test_a_day_of_the_clock_change_is_shorter():
    window = resolve_window("day", now=at(2026, 3, 29, 12), zone=BERLIN)
    assert window.end - window.start == 23 * 3_600_000


def decide(*spendings, now=NOW):
    return decide_budget([Spending(budget=one, spent_usd=spent) for one, spent in spendings], now=now, zone=BERLIN)


def test_below_every_limit_a_turn_begins():
    assert decide((budget(), 0.99), (budget(action="warn"), 0)) == BudgetDecision(outcome="ok")
    assert decide() == BudgetDecision(outcome="ok")


def test_a_used_up_budget_stops_the_next_turn_and_says_when_it_frees_up():
    decided = decide((budget(), 1.0))
    assert (decided.outcome, decided.frees_at, decided.rule) == ("stop", at(2026, 3, 11), "COST-2")


def test_of_several_the_one_that_frees_up_last_is_told():
    decided = decide((budget("month", name="m"), 2), (budget("day", name="d"), 2))
    assert (decided.spending.budget.name, decided.frees_at) == ("m", at(2026, 4, 1))
    decided = decide((budget("month", name="m"), 2), (budget("session", name="s"), 2))
    assert (decided.spending.budget.name, decided.frees_at) == ("s", None)


def test_a_budget_that_only_warns_stops_nothing():
    decided = decide((budget(action="warn"), 5))
    assert (decided.outcome, decided.spending.spent_usd) == ("warn", 5)
    assert decide((budget(action="warn"), 5), (budget(), 5)).outcome == "stop"


def test_a_limit_of_nothing_stops_everything():
    assert decide((budget(limit=0.0), 0.0)).outcome == "stop"


@pytest.mark.parametrize(
    ("window", "daily", "expected"),
    [
        (BudgetWindow(start=Instant(0), end=Instant(2 * 86_400_000)), [2.0, 4.0], 10 + 3 * 2),
        (BudgetWindow(start=Instant(0), end=Instant(-5)), [2.0], 10),
        (BudgetWindow(start=Instant(0), end=Instant(5)), [], None),
        (BudgetWindow(), [2.0], None),
    ],
)
def test_a_forecast_goes_on_as_the_last_days_did(window, daily, expected):
    assert forecast_spending(10, daily, window=window, now=Instant(0)) == expected


def test_a_decision_is_recorded():
    record = decide((budget(), 1.23456789)).as_decision()
    assert (record.kind, record.outcome, record.rule) == ("budget", "stop", "COST-2")
    assert record.inputs == {
        "budget": "budgets[0]",
        "per": "day",
        "spent_usd": 1.234568,
        "limit_usd": 1.0,
        "frees_at": at(2026, 3, 11),
    }
    assert set(decide().as_decision().inputs.values()) == {None}


def test_the_zone_decides_what_a_day_is():
    late = at(2026, 3, 10, 23, 30, zone=UTC)
    assert resolve_window("day", now=late, zone=BERLIN).start == at(2026, 3, 11)
    assert resolve_window("day", now=late, zone=UTC).start == at(2026, 3, 10, zone=UTC)


# --- what was counted before ------------------------------------------------------------------------------------------


def count(per="day", spent=1.0, now=NOW, life=None):
    window = resolve_window(per, now=now, zone=BERLIN)
    return BudgetCount(budget=budget(per), window=window, spent_usd=spent, session_id=life and SessionId(life))


def settle(*counts, later=0.0, life="s1", now=NOW, zone=BERLIN):
    found = settle_counts(counts, [later] * len(counts), session_id=life and SessionId(life), now=now, zone=zone)
    return found and [spending.spent_usd for spending in found]


def test_what_was_booked_since_it_was_counted_counts_too():
    assert settle(count("day"), count("month", 5.0), count("session", 2.0, life="s1"), later=0.5) == [1.5, 5.5, 2.5]
    assert settle() == ()


def test_a_life_that_the_turn_begins_has_spent_nothing():
    assert settle(count("session", life="s1"), later=0.5, life=None) == [0.0]
    assert settle(count("session"), later=0.5, life=None) == [0.0]


@pytest.mark.parametrize(
    "settled",
    [
        pytest.param({"now": at(2026, 3, 11)}, id="the next day"),
        pytest.param({"now": at(2026, 3, 9, 23, 59)}, id="the day before, to which the clock was set back"),
        pytest.param({"zone": UTC}, id="a day of another zone"),
    ],
)
def test_what_was_counted_on_another_day_is_counted_anew(settled):
    assert settle(count("month"), count("day"), **settled) is None


@pytest.mark.parametrize("counted", ["s2", None])
def test_what_another_life_has_spent_is_counted_anew(counted):
    assert settle(count("day"), count("session", life=counted)) is None
