"""Settings that may stand in two places (CFG-3, X-12, X-21)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.config.aliases import BARE_FIELDS, apply_aliases


@pytest.mark.parametrize("name", BARE_FIELDS)
def test_a_bare_field_moves_under_session(name):
    assert apply_aliases({name: 1, "x": 2}) == {"session": {name: 1}, "x": 2}


@pytest.mark.parametrize("name", BARE_FIELDS)
def test_the_nested_field_wins_whole(name):
    assert apply_aliases({name: {"a": 1}, "session": {name: {"b": 2}}}) == {"session": {name: {"b": 2}}}


def test_each_field_is_taken_by_itself():
    raw = {"dmScope": "main", "resetTime": "5", "session": {"dmScope": "per-peer", "mainKey": "home"}}
    assert apply_aliases(raw) == {"session": {"dmScope": "per-peer", "resetTime": "5", "mainKey": "home"}}


def test_a_nested_null_is_not_set():
    assert apply_aliases({"dmScope": "main", "session": {"dmScope": None}}) == {"session": {"dmScope": "main"}}
    assert apply_aliases({"dmScope": "main", "session": None}) == {"session": {"dmScope": "main"}}


def test_the_older_word_for_the_agents_defaults_is_read():
    assert apply_aliases(
        {"agent": {"model": "a", "workspace": "b"}, "agents": {"list": [], "defaults": {"model": "c"}}}
    ) == {"agents": {"list": [], "defaults": {"model": "c", "workspace": "b"}}}
    assert apply_aliases({"agent": {"model": "a"}}) == {"agents": {"defaults": {"model": "a"}}}


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"session": {"dmScope": "main"}},
        {"session": [], "dmScope": "main"},
        {"agent": "main"},
        {"agent": {}, "agents": []},
        {"agent": {}, "agents": {"defaults": 5}},
    ],
)
def test_what_cannot_be_moved_is_left_for_the_checks(raw):
    assert apply_aliases(raw) == raw


NAMES = st.sampled_from([*BARE_FIELDS, "session", "agent", "agents", "defaults", "other"])
VALUES = st.recursive(st.none() | st.integers(), lambda inner: st.dictionaries(NAMES, inner, max_size=4), max_leaves=12)


@given(st.dictionaries(NAMES, VALUES))
def test_applying_twice_changes_nothing_and_nothing_is_changed_in_place(raw):
    before = repr(raw)
    once = apply_aliases(raw)
    assert apply_aliases(once) == once
    assert repr(raw) == before
