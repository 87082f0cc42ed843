"""The page about the configuration is the one its schema gives, and the defaults it tells are those that hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from instar.config.config import Config, parse_config
from instar.config.reference import build_reference, list_settings
from tests.builders.tree import ROOT

PAGE = ROOT / "docs" / "reference" / "configuration.md"


def test_the_page_is_built_from_the_schema():
    fix = "run: python -m instar.config.reference > docs/reference/configuration.md"
    assert PAGE.read_text(encoding="utf-8") == build_reference(), fix


def default() -> Config:
    return parse_config({}, env={}, state_dir=Path("/state"), home=Path("/house"))


DEFAULTS = {
    "session.scope": lambda config: config.routing.keys.scope,
    "session.dmScope": lambda config: config.routing.keys.dm_scope,
    "session.groupScope": lambda config: config.routing.keys.group_scope,
    "session.mainKey": lambda config: config.routing.keys.main_key,
    "session.resetTriggers": lambda config: str(list(config.reset_triggers)).replace("'", '"'),
    "channels.<name>.dmPolicy": lambda config: config.access("irc").dm_policy,
    "channels.<name>.groupPolicy": lambda config: config.access("irc").group_policy,
    "channels.<name>.historyLimit": lambda config: config.activation("irc").history_limit,
    "agents.defaults.maxConcurrent": lambda config: config.queue.max_concurrent,
    "cron.maxConcurrentRuns": lambda config: config.queue.max_cron_runs,
    "gateway.port": lambda config: config.gateway.port,
    "gateway.auth.mode": lambda config: config.gateway.auth_mode,
    "gateway.controlUi.basePath": lambda config: config.gateway.base_path,
    "gateway.allowUnsafe": lambda config: str(config.gateway.allow_unsafe).lower(),
    "delivery.resendWithin": lambda config: f'"{config.delivery.resend_within_ms // 60_000}m"',
    "delivery.maxAttempts": lambda config: config.delivery.max_attempts,
}


@pytest.mark.parametrize("path", DEFAULTS)
def test_the_default_that_is_told_is_the_one_that_holds(path):
    told = {row.path: row.facts["default"].strip("`") for _, rows in list_settings() for row in rows}
    assert told[path] == str(DEFAULTS[path](default()))


def test_no_setting_is_listed_twice():
    paths = [row.path for _, rows in list_settings() for row in rows]
    assert len(paths) == len(set(paths))
    assert len(paths) > 150
