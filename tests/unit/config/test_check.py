"""A configuration against the schema (CFG-6, COMPAT-3)."""

from __future__ import annotations

import pytest

from instar.config.check import check_names, check_types, fields_of, shape_of
from instar.config.schema import Root, Section


def wrong(raw: dict) -> list[tuple[str, str]]:
    return [(error.path, error.why) for error in check_types(raw)]


def noticed(raw: dict) -> dict[str, tuple[str, str]]:
    return {found.path: (found.code, found.fix) for found in check_names(raw)}


@pytest.mark.parametrize(
    ("raw", "path", "why"),
    [
        ({"session": []}, "session", "it is a list, not an object"),
        ({"session": {"dmScope": 5}}, "session.dmScope", "it is a number, not text"),
        ({"session": {"reset": "daily"}}, "session.reset", "it is text, not an object"),
        (
            {"session": {"resetByChannel": {"my irc": 5}}},
            'session.resetByChannel["my irc"]',
            "it is a number, not an object",
        ),
        ({"session": {"resetTriggers": "/new"}}, "session.resetTriggers", "it is text, not a list"),
        ({"bindings": [{"match": 5}]}, "bindings[0].match", "it is a number, not an object"),
        ({"gateway": {"port": "5"}}, "gateway.port", "it is text, not a whole number"),
        ({"gateway": {"port": 1.5}}, "gateway.port", "it is a number, not a whole number"),
        ({"channels": {"irc": {"enabled": 1}}}, "channels.irc.enabled", "it is a number, not true or false"),
        ({"agents": {"list": [{"id": 5}]}}, "agents.list[0].id", "it is a number, not text"),
    ],
)
def test_a_wrong_type_is_told_with_its_path(raw, path, why):
    assert wrong(raw) == [(path, why)]


def test_every_wrong_type_is_told():
    assert len(wrong({"session": {"dmScope": 5, "mainKey": 5}, "gateway": []})) == 3


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"session": None, "channels": {"irc": None}, "agents": {"entries": {"a": None}}},
        {"session": {"reset": {"atHour": "x", "mode": 5, "idleMinutes": []}, "sendPolicy": "none", "maxTokens": "x"}},
        {"session": {"maintenance": {"pruneAfter": {}}, "compaction": 5}},
        {"unknown": 5, "session": {"unknown": []}},
    ],
)
def test_what_other_rules_forgive_is_no_wrong_type(raw):
    assert wrong(raw) == []


@pytest.mark.parametrize(
    ("raw", "path", "meant"),
    [
        ({"sesion": {}}, "sesion", "session"),
        ({"session": {"dmScop": "main"}}, "session.dmScop", "dmScope"),
        ({"session": {"DMSCOPE": "main"}}, "session.DMSCOPE", "dmScope"),
        ({"session": {"reset": {"athour": 4}}}, "session.reset.athour", "atHour"),
        ({"session": {"resetByType": {"direkt": {}}}}, "session.resetByType.direkt", "direct"),
        ({"session": {"resetByChannel": {"irc": {"mod": "idle"}}}}, "session.resetByChannel.irc.mod", "mode"),
        ({"agents": {"list": [{}, {"modell": "x"}]}}, "agents.list[1].modell", "model"),
        ({"agents": {"defaults": {"maxConcurent": 4}}}, "agents.defaults.maxConcurent", "maxConcurrent"),
        ({"channels": {"irc": {"dmPolcy": "open"}}}, "channels.irc.dmPolcy", "dmPolicy"),
        ({"bindings": [{"match": {"chanel": "irc"}}]}, "bindings[0].match.chanel", "channel"),
    ],
)
def test_a_slip_is_told_with_the_name_that_was_meant(raw, path, meant):
    assert noticed(raw) == {path: ("unknown-name", f'Did you mean "{meant}"?')}


def test_a_name_like_no_other_is_told_too():
    assert noticed({"session": {"colour": "red"}})["session.colour"][0] == "unknown-name"
    assert noticed({"wizard": {}})["wizard"][0] == "unknown-name"


def test_platforms_may_have_settings_of_their_own_and_a_bridge_has_none():
    assert noticed({"channels": {"irc": {"sasl": True}}}) == {}
    assert list(noticed({"channels": {"irc": {"type": "bridge", "sasl": True}}})) == ["channels.irc.sasl"]


def test_names_that_people_choose_are_never_unknown():
    raw = {
        "channels": {"pigeon": {"groups": {"-5": {}}, "type": "bridge"}},
        "models": {"providers": {"my own": {}}},
        "session": {"identityLinks": {"alice": []}, "resetByChannel": {"pigeon": {}}},
        "agents": {"entries": {"zoe": {}}},
    }
    assert noticed(raw) == {}


def test_a_setting_without_effect_says_so():
    found = [each for each in check_names({"session": {"sharing": {}}}) if each.code == "later"]
    assert [each.path for each in found] == ["session.sharing"]
    raw = {
        "session": {"maintenance": {"mode": "enforce", "pruneAfter": "30d", "maxEntries": 5, "maxDiskBytes": "1gb"}},
        "budgets": [{"per": "day", "limitUsd": 1, "action": "stop"}],
        "memory": {"enabled": False},
        "agents": {"defaults": {"contextTokens": 32_000}},
    }
    assert noticed(raw) == {}
    assert noticed({"session": {"sharing": None}}) == {}


@pytest.mark.parametrize(
    "raw",
    [{"session": [{"x": 1}]}, {"bindings": {"x": 1}}, {"channels": []}, {"channels": {"irc": 5}}, {"bindings": [5]}],
)
def test_wrong_types_do_not_stop_the_search(raw):
    assert noticed(raw) == {}


def sections() -> set[type[Section]]:
    found: set[type[Section]] = set()
    waiting: list[type[Section]] = [Root]
    while waiting:
        section = waiting.pop()
        if section not in found:
            found.add(section)
            waiting += [inner for field in fields_of(section).values() if (inner := shape_of(field).section)]
    return found


def test_every_setting_says_what_it_means():
    silent = [
        f"{section.__name__}.{name}"
        for section in sections()
        for name, field in fields_of(section).items()
        if not (field.description or "").endswith(".")
    ]
    assert not silent
    assert all(section.__doc__ for section in sections())
    assert len(sections()) > 30


def test_no_name_is_written_with_a_dash_or_an_underscore():
    assert not [name for section in sections() for name in fields_of(section) if not name.isalnum()]
