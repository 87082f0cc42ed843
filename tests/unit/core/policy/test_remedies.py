"""Remedies are words, then commands as a shell takes them."""

from __future__ import annotations

import pytest

from instar.core.policy.audit_facts import Noticed
from instar.core.policy.remedies import DRAWN, build_remedy, build_set, build_unset


def test_what_a_shell_would_take_apart_is_quoted() -> None:
    assert build_set("session.dmScope", "per-peer") == "instar config set session.dmScope per-peer"
    assert build_set("bindings[0].session.groupScope", "per-group") == (
        "instar config set 'bindings[0].session.groupScope' per-group"
    )
    assert build_unset('models["my own"]') == "instar config unset 'models[\"my own\"]'"


def test_a_secret_is_drawn_by_the_shell() -> None:
    assert build_set("hooks.token", DRAWN) == 'instar config set hooks.token "$(openssl rand -hex 32)"'


@pytest.mark.parametrize(
    ("code", "path", "expected"),
    [
        pytest.param("open-main", "p", "Do it.\ninstar config set session.dmScope per-channel-peer", id="one setting"),
        pytest.param(
            "empty-allowlist",
            "channels.a.allowFrom",
            "Do it.\ninstar config set channels.a.dmPolicy pairing",
            id="beside it",
        ),
        pytest.param(
            "dead-binding",
            "bindings[3].match.channel",
            "Do it.\nTo take it out:\ninstar config unset 'bindings[3]'",
            id="a whole binding",
        ),
        pytest.param("x", "a.b", "Do it.\nTo take it out:\ninstar config unset a.b", id="any other"),
        pytest.param("key-beside-store", "a.b", "Do it.", id="words only"),
        pytest.param("x", "", "Do it.", id="no setting"),
    ],
)
def test_what_the_lint_noticed_ends_with_a_command(code: str, path: str, expected: str) -> None:
    assert build_remedy(Noticed(code=code, is_critical=False, path=path, what="w", fix="Do it.")) == expected


def test_what_has_no_advice_can_be_taken_out() -> None:
    noticed = Noticed(code="x", is_critical=False, path="a.b", what="w")
    assert build_remedy(noticed) == "To take it out:\ninstar config unset a.b"
