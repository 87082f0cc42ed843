"""How a session stands, as text and as fields (STATUS-1…6, WHY-6, WHY-7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC

import pytest

from instar.core.explain.status import (
    StatusFacts,
    build_status_fields,
    build_status_lines,
    format_count,
    hide_others_spending,
)
from instar.core.lifecycle.freshness import Freshness
from instar.core.lifecycle.reset import ResetPolicy
from instar.core.model.ids import Instant
from instar.core.model.session import Counters, Lifecycle, Overrides
from instar.core.model.setting import Setting
from instar.core.policy.budget import Budget, BudgetMatch, Spending
from tests.builders.turns import KEY, NOW, build_session

HOUR = 3_600_000


def facts(**changes) -> StatusFacts:
    session = replace(
        build_session(started_at=Instant(NOW - 2 * HOUR)),
        counters=Counters(input_tokens=12_345, output_tokens=999, compaction_count=2),
        overrides=Overrides(thinking_level="high", verbose_level="off"),
    )
    known = StatusFacts(
        version="1",
        now=NOW,
        zone=UTC,
        key=KEY,
        session=session,
        model="home/llama",
        auth_kind="api key",
        window_used=8_000,
        window_source="provider",
        window_tokens=32_000,
        queue_mode="steer",
        queue_source="default",
        waiting=1,
        running=0,
        send_verdict="allow",
        policy=ResetPolicy(),
        freshness=Freshness(fresh=True, reason=None, rule="RESET-13", next_expiry_at=Instant(NOW + 16 * HOUR)),
        billed_usd=0.5,
        settings={
            "thinkingLevel": Setting(value="high", source="session"),
            "verboseLevel": Setting(value="off", source="session"),
        },
    )
    return replace(known, **changes)


def test_a_session_that_is_used_tells_its_three_token_numbers_apart() -> None:
    lines = build_status_lines(facts()).splitlines()
    assert "Tokens billed: 12k in / 999 out · $0.5000" in lines
    assert "Context: 8.0k/32k (25%, provider)" in lines
    assert "Compactions: 2" in lines


def test_it_tells_age_levels_queue_and_the_next_reset() -> None:
    text = build_status_lines(facts(activation="mention (default)"))
    assert "began 2 hours ago" in text
    assert "Thinking: high" in text
    assert "Verbose" not in text
    assert "Activation: mention (default)" in text
    assert "Queue: steer (default), 1 waiting, 0 running" in text
    assert "Reset: daily at 04:00; next 2026-03-11 04:00" in text
    assert "Send policy" not in text


def test_the_window_says_when_it_was_counted() -> None:
    text = build_status_lines(facts(window_counted_at=Instant(NOW - 180_000)))
    assert "Context: 8.0k/32k (25%, provider 3 minutes ago)" in text
    assert build_status_fields(facts(window_counted_at=NOW))["context"]["countedAt"] == NOW  # type: ignore[index]


def test_every_setting_that_holds_is_told_with_its_place() -> None:
    settings = {
        "queueMode": Setting(value="steer", source="session"),
        "reset": Setting(value=ResetPolicy(), source="type"),
    }
    known = facts(settings=settings)
    assert "From the session: queue steer\nFrom the type of chat: reset daily at 04:00\nReset:" in build_status_lines(
        known
    )
    assert build_status_fields(known)["settings"] == {
        "queueMode": {"value": "steer", "source": "session"},
        "reset": {"value": "daily at 04:00", "source": "type"},
    }


def test_what_is_not_known_is_said_to_be_unknown() -> None:
    bare = replace(build_session(), lifecycle=Lifecycle())
    text = build_status_lines(facts(session=bare, window_tokens=None, window_used=5, billed_usd=None, freshness=None))
    assert "Context: 5 (window unknown, provider)" in text
    assert "age unknown" in text
    assert "$" not in text
    assert text.endswith("Reset: daily at 04:00")


def test_a_place_where_nobody_has_written_says_so() -> None:
    text = build_status_lines(facts(session=None))
    assert text.endswith(f"Session: {KEY} (nobody has written here yet)")


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        (ResetPolicy(mode="none"), "never by itself"),
        (ResetPolicy(mode="idle", idle_s=3600), "after 1 hour without a message"),
        (ResetPolicy(mode="daily", idle_s=7200), "daily at 04:00 or after 2 hours without a message"),
        (ResetPolicy(mode="idle"), "never by itself"),
    ],
)
def test_the_reset_is_told_by_its_policy(policy: ResetPolicy, told: str) -> None:
    assert build_status_lines(facts(policy=policy, freshness=None)).endswith(f"Reset: {told}")


def test_a_denied_session_says_so() -> None:
    assert "Send policy: deny" in build_status_lines(facts(send_verdict="deny"))


def test_a_session_of_seconds_is_told_in_seconds() -> None:
    assert "began 1 second ago" in build_status_lines(facts(session=build_session()))
    young = build_session(started_at=Instant(NOW - 61_000))
    assert "began 1 minute ago" in build_status_lines(facts(session=young))


def test_fields_say_the_same() -> None:
    fields = build_status_fields(facts())
    assert fields["context"] == {"used": 8_000, "source": "provider", "limit": 32_000, "percent": 25, "countedAt": None}
    assert fields["billed"] == {"inputTokens": 12_345, "outputTokens": 999, "costUsd": 0.5}
    assert fields["reset"] == {"mode": "daily", "nextExpiryAt": NOW + 16 * HOUR}


def test_fields_without_a_session_are_empty_and_not_missing() -> None:
    fields = build_status_fields(facts(session=None, freshness=None, window_tokens=None))
    assert fields["sessionId"] is None
    assert fields["billed"] == {"inputTokens": 0, "outputTokens": 0, "costUsd": 0.5}
    assert fields["reset"] == {"mode": "daily", "nextExpiryAt": None}
    assert fields["context"] == {"used": 8_000, "source": "provider", "limit": None, "percent": None, "countedAt": None}


@pytest.mark.parametrize(
    ("count", "told"),
    [(0, "0"), (999, "999"), (1_000, "1.0k"), (9_940, "9.9k"), (9_999, "10k"), (123_456, "123k"), (2_500_000, "2.5m")],
)
def test_token_numbers_are_short(count: int, told: str) -> None:
    assert format_count(count) == told


def test_whoever_does_not_look_after_the_money_is_told_of_budgets_of_their_own() -> None:
    spendings = tuple(
        Spending(budget=Budget(name=name, per=per, limit_usd=9, match=match), spent_usd=1)
        for name, per, match in (
            ("everybody's day", "day", BudgetMatch()),
            ("an agent's month", "month", BudgetMatch(agent="main")),
            ("one person's day", "day", BudgetMatch(person="ann")),
            ("this session", "session", BudgetMatch()),
        )
    )
    shown = hide_others_spending(facts(spendings=spendings))
    assert [one.budget.name for one in shown.spendings] == ["one person's day", "this session"]


def test_the_fields_tell_what_the_text_tells_of_auth_age_and_runs() -> None:
    fields = build_status_fields(facts(running=2))
    assert (fields["auth"], fields["startedAt"], fields["ageMs"]) == ("api key", NOW - 2 * HOUR, 2 * HOUR)
    assert fields["queue"] == {"mode": "steer", "source": "default", "waiting": 1, "running": 2}
    for nobody in (None, replace(build_session(), lifecycle=Lifecycle())):
        fields = build_status_fields(facts(session=nobody))
        assert (fields["startedAt"], fields["ageMs"]) == (None, None)
