"""Every setting that is marked as a secret is known to the redactor, and every one that sounds like one is marked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from instar.config.config import parse_config
from instar.config.reference import list_settings
from instar.core.policy.redaction import MARK, build_redactor
from tests.builders.secrets import SECRET_SETTINGS, plant_secrets

SOUNDS_SECRET = re.compile(r"(?i)(?:^|\.)(?:[a-z]*(?:token|password|secret|credential|passphrase|apikey|privatekey))$")
SAYS_SECRET = re.compile(r"(?i)\b(?:secret|password|shared token)\b")
NO_SECRET = {"gateway.auth.mode", "logging.redactSensitive"}
"""Settings that speak of secrets and hold none."""


def parse(config, env):
    return parse_config(config, env=env, state_dir=Path("/state"), home=Path("/house"))


def test_what_sounds_like_a_secret_is_marked_as_one():
    rows = [row for _, rows in list_settings() for row in rows]
    suspects = {row.path for row in rows if SOUNDS_SECRET.search(row.path) or SAYS_SECRET.search(row.meaning)}
    marked = {row.path for row in SECRET_SETTINGS}
    assert suspects - NO_SECRET <= marked
    assert {"gateway.auth.token", "hooks.token", "channels.<name>.token"} <= marked


@pytest.mark.parametrize("by_variable", [False, True], ids=["written", "in a variable"])
def test_every_marked_setting_is_known_to_the_redactor(by_variable):
    planted = plant_secrets(by_variable=by_variable)
    env = {f"S{at}": value for at, value in enumerate(planted.values.values())} if by_variable else {}
    config = parse(planted.config, env)
    assert {path for path, value in planted.values.items() if value not in config.secrets} == set()
    redactor = build_redactor(config.secrets)
    for value in planted.values.values():
        assert redactor.text(f"a line with {value}.") == f"a line with {MARK}."
        assert redactor.value({"deep": [{value: (value,)}]}) == {"deep": [{MARK: [MARK]}]}


def test_a_secret_that_is_an_object_naming_a_variable_is_known():
    config = parse({"hooks": {"token": {"source": "env", "id": "HOOKS"}}}, {"HOOKS": "a-secret-of-hooks"})
    assert config.secrets == ("a-secret-of-hooks",)
