"""What a new token may allow, and whether a stored one still opens the gateway (LEAK-3)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instar.core.model.caller import Caller, has_expired
from instar.core.model.token import Token
from instar.core.policy.scopes import ADMIN, OWNER_SCOPES, READ, WRITE
from instar.core.policy.tokens import (
    TokenWish,
    decide_token,
    describe_token,
    is_use_worth_noting,
    parse_principal,
    parse_scope,
    plan_token,
)

NOW = 1_773_144_000_000
OWNER = Caller(scopes=OWNER_SCOPES)
TOKEN = Token(id="t1", role="operator", scopes=frozenset({READ}), created_by="operator", created_at=NOW)


def plan(maker=OWNER, **wish):
    return plan_token(TokenWish(**wish), maker=maker, token_id="t1", now=NOW)


def test_without_a_wish_a_token_reads_and_writes_and_never_ends():
    token = plan().token
    assert token == Token(
        id="t1", role="operator", scopes=frozenset({READ, WRITE}), created_by="operator", created_at=NOW
    )


def test_a_wish_is_taken_as_it_is_meant():
    token = plan(label="  Alice's\n phone ", scopes=["READ"], principal=" Alice ", lifetime_ms=60_000).token
    assert token is not None
    assert (token.label, token.scopes, token.principal) == ("Alice's phone", {READ}, "alice")
    assert token.expires_at == NOW + 60_000


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        pytest.param({"role": "node"}, "role", id="a role that is not served"),
        pytest.param({"label": "x" * 129}, "label", id="a label without end"),
        pytest.param({"principal": " "}, "principal", id="nobody"),
        pytest.param({"principal": "operator"}, "principal", id="the name decisions of the owner are under"),
        pytest.param({"scopes": ["everything"]}, "scopes", id="a scope nobody knows"),
        pytest.param({"lifetime_ms": 0}, "expiresInMs", id="no time at all"),
    ],
)
def test_a_wish_that_makes_no_sense_names_its_field(wish, field):
    made = plan(**wish)
    assert (made.token, made.field) == (None, field)
    assert made.problem


def test_nobody_gives_away_what_they_do_not_hold():
    writer = Caller(scopes=frozenset({WRITE}))
    assert plan(writer, scopes=["admin"]).field == "scopes"
    assert plan(writer, scopes=["operator.pairing"]).field == "scopes"
    assert plan(writer, scopes=["read", "write"]).token is not None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Alice", "alice"),
        ("telegram:42", "telegram:42"),
        ("", None),
        ("two words", None),
        ("a\u202eb", None),
        ("x" * 257, None),
        ("GATEWAY", None),
    ],
)
def test_a_principal_is_one_plain_word(text, name):
    assert parse_principal(text) == name


@pytest.mark.parametrize(
    ("text", "scope"), [("read", READ), ("Write", WRITE), (" admin ", ADMIN), (READ, READ), ("operator.x", None)]
)
def test_scopes_are_written_short_or_as_on_the_wire(text, scope):
    assert parse_scope(text) == scope


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, None),
        ({"expires_at": NOW + 1}, None),
        ({"expires_at": NOW}, "expired"),
        ({"revoked_at": NOW - 1}, "revoked"),
        ({"revoked_at": NOW - 1, "expires_at": NOW}, "revoked"),
    ],
)
def test_a_token_opens_until_its_time_or_until_it_is_revoked(changes, problem):
    assert decide_token(replace(TOKEN, **changes), now=NOW) == problem


@pytest.mark.parametrize(
    ("used_at", "noted"), [(None, True), (NOW - 60_000, True), (NOW - 59_999, False), (NOW + 1, True)]
)
def test_a_use_is_noted_once_a_minute(used_at, noted):
    assert is_use_worth_noting(replace(TOKEN, last_used_at=used_at), now=NOW) is noted


@pytest.mark.parametrize(("expires_at", "ended"), [(None, False), (NOW + 1, False), (NOW, True)])
def test_a_caller_lasts_as_long_as_its_token(expires_at, ended):
    assert has_expired(Caller(expires_at=expires_at), now=NOW) is ended


def test_a_token_is_recorded_without_whose_it_is():
    made = describe_token("t1", "made", scopes={WRITE, READ})
    assert (made.kind, made.outcome, made.rule) == ("access", "made", "LEAK-3")
    assert made.inputs == {"chat": "token", "id": "t1", "scopes": f"{READ} {WRITE}"}
    assert describe_token("t1", "revoked").inputs["scopes"] is None
