"""HEART-1, PRUNE-3: how often a heartbeat is due, and who said so."""

import pytest

from instar.core.context.heartbeat import resolve_heartbeat
from instar.core.model.setting import Setting

HOUR, HALF = 3_600_000, 1_800_000


@pytest.mark.parametrize(
    ("provider", "model", "auth", "every"),
    [
        ("anthropic", "claude-sonnet-4-5", "oauth", HOUR),
        ("Anthropic", "claude-sonnet-4-5", "oauth", HOUR),
        ("anthropic", "claude-sonnet-4-5", "api-key", HALF),
        ("openrouter", "anthropic/claude-sonnet-4.5", "api-key", HALF),
        ("openai", "gpt-6", "api-key", HALF),
        ("openai", "gpt-6", "oauth", HALF),
        ("instar", "echo", "none", HALF),
    ],
)
def test_what_nobody_set_follows_how_the_model_is_paid(provider, model, auth, every):
    assert resolve_heartbeat(None, None, provider=provider, model=model, auth=auth) == Setting(
        value=every, source="default"
    )


@pytest.mark.parametrize(
    ("agent", "config", "value", "source"),
    [
        (None, 5, 5, "config"),
        (7, 5, 7, "agent"),
        (0, 5, 0, "agent"),
        (None, 0, 0, "config"),
        (HALF, None, HALF, "agent"),
    ],
)
def test_any_value_that_is_set_is_left_alone(agent, config, value, source):
    decided = resolve_heartbeat(agent, config, provider="anthropic", model="claude", auth="oauth")
    assert decided == Setting(value=value, source=source)
