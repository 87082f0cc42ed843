"""What of a changed file holds at once (CFG-12)."""

from __future__ import annotations

from pathlib import Path

import pytest

from instar.config.config import parse_config
from instar.config.effect import apply_reload


def config(raw):
    return parse_config(raw, env={}, state_dir=Path("/state"), home=Path("/home"))


OLD = config({"session": {"dmScope": "main"}})


def test_everything_about_sessions_holds_at_once():
    new = config(
        {
            "session": {
                "dmScope": "per-peer",
                "reset": {"mode": "none"},
                "sendPolicy": {"default": "deny"},
                "maxMessages": 5,
                "maintenance": {"maxEntries": 9},
            },
            "messages": {"queue": {"mode": "collect"}},
        }
    )
    held, waiting = apply_reload(OLD, new)
    assert held == new
    assert waiting == ()


@pytest.mark.parametrize(
    ("raw", "waits"),
    [
        ({"gateway": {"port": 9}}, "gateway"),
        ({"session": {"mirror": False}}, "session.store, session.mirror, session.encryption"),
        ({"channels": {"telegram": {"type": "bridge", "token": "t"}}}, "channels"),
        ({"models": {"providers": {"x": {"baseUrl": "http://127.0.0.1:1", "api": "openai-completions"}}}}, "models"),
        ({"delivery": {"maxAttempts": 2}}, "delivery"),
        ({"agents": {"defaults": {"maxConcurrent": 3}}}, "agents.defaults.maxConcurrent"),
        (
            {"agents": {"defaults": {"subagents": {"maxConcurrent": 3}}}},
            "agents.defaults.subagents.maxConcurrent",
        ),
        ({"cron": {"maxConcurrentRuns": 3}}, "cron.maxConcurrentRuns"),
    ],
)
def test_what_the_gateway_was_built_from_waits_for_the_next_start(raw, waits):
    held, waiting = apply_reload(OLD, config(raw))
    assert waiting == (waits,)
    assert (held.gateway, held.store, held.channels, held.models, held.delivery) == (
        OLD.gateway,
        OLD.store,
        OLD.channels,
        OLD.models,
        OLD.delivery,
    )


def test_a_change_that_is_taken_back_waits_no_more():
    held, _ = apply_reload(OLD, config({"gateway": {"port": 9}}))
    assert apply_reload(held, OLD) == (OLD, ())
