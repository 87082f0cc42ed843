"""`session.reset…` in every accepted spelling."""

from __future__ import annotations

from datetime import UTC

import pytest

from instar.config.sections.reset import parse_reset
from instar.core.lifecycle.freshness import decide_freshness
from instar.core.lifecycle.reset import ResetRule, ResetSettings, resolve_reset_policy
from instar.core.model.instant import format_iso, parse_iso
from instar.core.model.session import Lifecycle
from instar.errors import ConfigError


def base(**fields):
    return parse_reset({"session": {"reset": fields}}).base


def test_nothing_configured_is_no_rule_at_all():
    assert parse_reset({}) == ResetSettings()
    assert parse_reset({"session": {"reset": None, "resetByType": None, "resetByChannel": None}}) == ResetSettings()


@pytest.mark.parametrize(
    ("word", "mode"),
    [("daily", "daily"), (" Idle ", "idle"), ("none", "none"), ("manual", "none"), ("off", "none"), ("weekly", None)],
)
def test_a_mode_word_and_its_aliases(word, mode):
    assert base(mode=word) == ResetRule(mode=mode)


@pytest.mark.parametrize(
    ("given", "hour"),
    [(0, 0), (23, 23), (99, 23), (-3, 0), (4.9, 4)],
)
def test_the_hour_is_floored_and_clamped(given, hour):
    assert base(atHour=given) == ResetRule(at_hour=hour)


def test_the_minute_is_clamped_too():
    assert base(atMinute=75) == ResetRule(at_minute=59)


@pytest.mark.parametrize(
    ("text", "hour", "minute"),
    [("4", 4, 0), ("04", 4, 0), ("4:30", 4, 30), ("04:30", 4, 30), ("23:59", 23, 59), (" 6:05 ", 6, 5)],
)
def test_a_reset_time_means_daily_at_that_time(text, hour, minute):
    assert base(resetTime=text) == ResetRule(mode="daily", at_hour=hour, at_minute=minute)


@pytest.mark.parametrize("text", ["24:00", "4:60", "4:5", "noon", "", "4:30pm", "1:2:3", 4, None, ["4"]])
def test_a_malformed_reset_time_is_ignored(text):
    assert base(resetTime=text) == ResetRule()


def test_a_named_mode_stands_beside_a_reset_time():
    assert base(mode="idle", resetTime="05:00") == ResetRule(mode="idle", at_hour=5, at_minute=0)


def test_the_hour_beats_the_reset_time():
    assert base(atHour=6, resetTime="05:15") == ResetRule(mode="daily", at_hour=6)
    assert base(atMinute=20, resetTime="05:15") == ResetRule(mode="daily", at_hour=5, at_minute=20)


@pytest.mark.parametrize(
    ("fields", "idle_s"),
    [
        ({"idleMinutes": 60}, 3600),
        ({"idleMinutes": 1.9}, 60),
        ({"idleMinutes": 0}, 0),
        ({"idleMinutes": -5}, 0),
        ({"idleTimeout": 90}, 90),
        ({"idleTimeout": 90.7}, 90),
        ({"idleTimeout": 0}, 0),
        ({"idleMinutes": 2, "idleTimeout": 90}, 120),
        ({"idleMinutes": "2", "idleTimeout": 90}, 90),
        ({"idleMinutes": float("nan")}, None),
        ({"idleTimeout": "90"}, None),
        ({"idleTimeout": True}, None),
    ],
)
def test_the_idle_window_in_minutes_or_seconds(fields, idle_s):
    assert base(**fields) == ResetRule(idle_s=idle_s)


def test_quiet_time_and_notice():
    assert base(quietMinutes=10, notify=False) == ResetRule(quiet_s=600, notify=False)
    assert base(quietMinutes=-1) == ResetRule(quiet_s=0)


def test_the_single_fields_form_one_object():
    settings = parse_reset({"session": {"resetTime": "06:30", "idleTimeout": 90}})
    assert settings == ResetSettings(flat=ResetRule(mode="daily", at_hour=6, at_minute=30, idle_s=90))


def test_single_fields_that_say_nothing_form_no_object():
    assert parse_reset({"session": {"resetTime": "late", "idleTimeout": "long"}}).flat is None


def test_types_know_dm_and_direct_wins():
    settings = parse_reset(
        {
            "session": {
                "resetByType": {
                    "direct": {"idleMinutes": 4},
                    "dm": {"idleMinutes": 1},
                    "group": {},
                    "thread": None,
                    "planet": {"idleMinutes": 9},
                }
            }
        }
    )
    assert settings.by_type == {"direct": ResetRule(idle_s=240), "group": ResetRule()}
    alone = parse_reset({"session": {"resetByType": {"dm": {"idleMinutes": 1}}}})
    assert alone.by_type == {"direct": ResetRule(idle_s=60)}


def test_an_empty_object_of_types_is_not_the_same_as_none():
    assert parse_reset({"session": {"resetByType": {}}}).by_type == {}


def test_channels_are_known_by_their_one_name():
    settings = parse_reset(
        {
            "session": {
                "resetByChannel": {
                    "telegram": {"atHour": 1},
                    "TG": {"atHour": 2},
                    "Discord": {"atHour": 3},
                    "slack": None,
                    "gchat": {"atHour": 4},
                    "googlechat": {"atHour": 5},
                }
            }
        }
    )
    assert settings.by_channel == {
        "telegram": ResetRule(at_hour=1),
        "discord": ResetRule(at_hour=3),
        "googlechat": ResetRule(at_hour=5),
    }


@pytest.mark.parametrize(
    ("session", "path"),
    [
        ("daily", "session"),
        ({"reset": "daily"}, "session.reset"),
        ({"reset": {"mode": 3}}, "session.reset.mode"),
        ({"reset": {"atHour": "four"}}, "session.reset.atHour"),
        ({"reset": {"atHour": True}}, "session.reset.atHour"),
        ({"reset": {"atMinute": float("nan")}}, "session.reset.atMinute"),
        ({"reset": {"atHour": float("inf")}}, "session.reset.atHour"),
        ({"reset": {"quietMinutes": "ten"}}, "session.reset.quietMinutes"),
        ({"reset": {"notify": "no"}}, "session.reset.notify"),
        ({"resetByType": []}, "session.resetByType"),
        ({"resetByType": {"dm": 3}}, "session.resetByType.dm"),
        ({"resetByChannel": {"slack": "idle"}}, "session.resetByChannel.slack"),
    ],
)
def test_a_value_of_a_wrong_type_is_an_error_that_names_its_path(session, path):
    with pytest.raises(ConfigError) as caught:
        parse_reset({"session": session})
    assert caught.value.path == path
    assert caught.value.fix


@pytest.mark.parametrize("fields", [{"idleMinutes": 1e300}, {"idleTimeout": 10**40}, {"idleMinutes": 1e15}])
def test_a_window_beyond_all_calendars_is_a_hundred_years(fields):
    policy = resolve_reset_policy(parse_reset({"session": {"reset": fields}}), "direct", None)
    used = parse_iso("2026-03-10T12:00:00Z")
    found = decide_freshness(Lifecycle(started_at=used), header_at=None, policy=policy, now=used, zone=UTC)
    assert found.fresh
    assert format_iso(found.idle_expires_at) == "2126-02-14T12:00:00.000Z"


def test_a_quiet_time_beyond_all_calendars_is_a_hundred_years():
    assert base(quietMinutes=1e300).quiet_s == 100 * 365 * 86_400
