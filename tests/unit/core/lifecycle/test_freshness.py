"""Is a session still fresh: boundaries over real time zones, idle windows, and what excuses a stale one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.lifecycle.freshness import decide_freshness, find_boundaries
from instar.core.lifecycle.reset import ResetPolicy
from instar.core.model.instant import parse_iso
from instar.core.model.session import Lifecycle

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

# Zones with half hours, quarter hours, changes at midnight, a change of half an hour, a change at one minute past
# midnight, changes in Ramadan, two hours at once, and a day left out on the date line.
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "America/Havana",
    "America/Sao_Paulo",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Asia/Tehran",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Pacific/Apia",
    "Pacific/Chatham",
]


def at(text):
    moment = parse_iso(text)
    assert moment is not None
    return moment


def ask(now, *, started=None, used=None, updated=None, header=None, policy=None, zone=UTC, **excuses):
    return decide_freshness(
        Lifecycle(
            started_at=started and at(started),
            last_interaction_at=used and at(used),
            updated_at=updated and at(updated),
        ),
        header_at=header and at(header),
        policy=policy or ResetPolicy(),
        now=at(now),
        zone=zone,
        **excuses,
    )


# ---------------------------------------------------------------- the daily test


def test_a_session_that_began_before_the_boundary_is_stale():
    found = ask("2026-03-10T12:00Z", started="2026-03-10T03:59:59Z")
    assert (found.fresh, found.reason, found.rule) == (False, "daily", "RESET-13")
    assert found.daily_reset_at == at("2026-03-10T04:00Z")
    assert found.next_expiry_at is None


def test_a_session_that_began_at_the_boundary_is_fresh_until_the_next_one():
    found = ask("2026-03-10T12:00Z", started="2026-03-10T04:00Z")
    assert (found.fresh, found.reason, found.rule) == (True, None, "RESET-13")
    assert found.next_expiry_at == at("2026-03-11T04:00Z")


def test_a_wall_time_that_is_left_out_is_the_moment_of_the_offset_before():
    policy = ResetPolicy(at_hour=2, at_minute=30)
    found = ask("2026-03-08T07:30Z", started="2026-03-08T07:29:59Z", policy=policy, zone=NEW_YORK)
    assert found.daily_reset_at == at("2026-03-08T07:30Z")
    before = ask("2026-03-08T07:29:59Z", started="2026-03-07T08:00Z", policy=policy, zone=NEW_YORK)
    assert before.daily_reset_at == at("2026-03-07T07:30Z")


def test_a_wall_time_that_comes_twice_is_the_first_of_the_two():
    policy = ResetPolicy(at_hour=1, at_minute=30)
    found = ask("2026-11-01T06:45Z", started="2026-11-01T05:40Z", policy=policy, zone=NEW_YORK)
    assert found.daily_reset_at == at("2026-11-01T05:30Z")
    assert found.fresh


def test_clocks_that_go_back_over_midnight_do_not_take_the_new_day_back():
    """St. John's went back from 00:01 to 23:01: midnight had been reached once, and that counts."""
    found = ask(
        "2006-10-29T02:45Z",  # 23:15 of the 28th, the second time
        started="2006-10-28T12:00Z",
        policy=ResetPolicy(at_hour=0),
        zone=ZoneInfo("America/St_Johns"),
    )
    assert found.daily_reset_at == at("2006-10-29T02:30Z")


@cache
def transitions(name):
    """Every change of the zone's offset from 1995 to 2030, to the minute."""
    zone = ZoneInfo(name)

    def offset(moment):
        return moment.astimezone(zone).utcoffset()

    found = []
    day = datetime(1995, 1, 1, tzinfo=UTC)
    while day.year < 2030:
        low, high = day, day + timedelta(days=1)
        day = high
        if offset(low) == offset(high):
            continue
        while high - low > timedelta(minutes=1):
            middle = low + (high - low) // 2
            low, high = (middle, high) if offset(middle) == offset(low) else (low, middle)
        found.append(round(high.timestamp() * 1000))
    return found


def search_boundary(now, *, name, hour, minute):
    """The boundary by going through every minute of five days and looking at the clock on the wall."""
    zone = ZoneInfo(name)
    first_at: dict[date, int] = {}
    step = datetime.fromtimestamp((now - 5 * DAY_MS) // 60_000 * 60, UTC)
    wall_before = None
    while step.timestamp() * 1000 <= now:
        wall = step.astimezone(zone).replace(tzinfo=None)
        passed = [wall]
        if wall_before is not None and wall - wall_before > timedelta(minutes=1):
            # The clocks went forward: the wall times between were left out. Their moment comes later, by what the
            # clock showed before.
            passed += [
                wall_before + timedelta(minutes=n) for n in range(1, (wall - wall_before) // timedelta(minutes=1))
            ]
        for shown in passed:
            if (shown.hour, shown.minute) != (hour, minute):
                continue
            late = (shown - wall_before - timedelta(minutes=1)) if shown != wall and wall_before else timedelta()
            first_at.setdefault(shown.date(), round((step + late).timestamp() * 1000))
        wall_before = wall
        step += timedelta(minutes=1)
    return max(moment for moment in first_at.values() if moment <= now)


moments = st.integers(min_value=800_000_000_000, max_value=1_900_000_000_000)
hours = st.integers(0, 23)
minutes = st.sampled_from([0, 1, 15, 30, 45, 59])


@st.composite
def zone_and_moment(draw):
    """A zone and a moment, most of them within two days of a change of its clocks."""
    name = draw(st.sampled_from(ZONES))
    changes = transitions(name)
    if changes and draw(st.integers(0, 3)):
        return name, draw(st.sampled_from(changes)) + draw(st.integers(-2 * DAY_MS, 2 * DAY_MS))
    return name, draw(moments)


@given(zone_and_moment(), hours, minutes)
def test_the_boundary_is_the_one_a_patient_search_finds(place, hour, minute):
    name, now = place
    found = decide_freshness(
        Lifecycle(started_at=now),
        header_at=None,
        policy=ResetPolicy(at_hour=hour, at_minute=minute),
        now=now,
        zone=ZoneInfo(name),
    )
    assert found.daily_reset_at == search_boundary(now, name=name, hour=hour, minute=minute)


@given(zone_and_moment(), hours, minutes, st.integers(0, 3 * DAY_MS))
def test_the_boundary_never_lies_ahead_and_never_goes_back(place, hour, minute, later):
    name, now = place
    policy = ResetPolicy(at_hour=hour, at_minute=minute)

    def boundary(moment):
        life = Lifecycle(started_at=now)
        return decide_freshness(life, header_at=None, policy=policy, now=moment, zone=ZoneInfo(name)).daily_reset_at

    assert now - 3 * DAY_MS < boundary(now) <= now
    assert boundary(now) <= boundary(now + later)


@given(
    zone_and_moment(),
    st.builds(
        ResetPolicy,
        mode=st.sampled_from(["daily", "idle", "none"]),
        at_hour=hours,
        at_minute=minutes,
        idle_s=st.none() | st.integers(1, 3 * 86_400),
        quiet_s=st.sampled_from([0, 60, 3600]),
    ),
    st.integers(0, 2 * DAY_MS),
    st.integers(0, 2 * DAY_MS),
    st.lists(st.integers(0, 4 * DAY_MS), min_size=2, max_size=8),
)
def test_a_stale_session_never_becomes_fresh_by_waiting(place, policy, age, unused, waits):
    name, now = place
    life = Lifecycle(started_at=now - age, last_interaction_at=now - min(age, unused))

    def ask_at(moment):
        return decide_freshness(life, header_at=None, policy=policy, now=moment, zone=ZoneInfo(name))

    answers = [ask_at(now + wait) for wait in sorted(waits)]
    assert [answer.fresh for answer in answers] == sorted((answer.fresh for answer in answers), reverse=True)
    for wait, answer in zip(sorted(waits), answers, strict=True):
        if answer.next_expiry_at is not None:
            assert answer.next_expiry_at >= now + wait
            assert not ask_at(answer.next_expiry_at + 1).fresh
            assert answer.next_expiry_at - 1 < now + wait or ask_at(answer.next_expiry_at - 1).fresh


def test_boundaries_around_a_day_are_worked_out_once():
    find_boundaries.cache_clear()
    for hour in range(24):
        ask(f"2026-03-10T{hour:02}:00Z", started="2026-03-10T00:00Z", zone=BERLIN)
    assert find_boundaries.cache_info().misses == 1


# ---------------------------------------------------------------- the idle test

IDLE_HOUR = ResetPolicy(mode="idle", idle_s=3600)


def test_idle_session_is_stale_after_its_window():
    found = ask("2026-03-10T12:00:00.001Z", started="2026-03-10T05:00Z", used="2026-03-10T11:00Z", policy=IDLE_HOUR)
    assert (found.fresh, found.reason, found.rule) == (False, "idle", "RESET-15")
    assert found.daily_reset_at is None


def test_idle_session_is_fresh_at_the_end_of_its_window():
    found = ask("2026-03-10T12:00Z", started="2026-03-10T05:00Z", used="2026-03-10T11:00Z", policy=IDLE_HOUR)
    assert (found.fresh, found.rule, found.next_expiry_at) == (True, "RESET-15", at("2026-03-10T12:00Z"))


def test_idle_mode_without_a_window_never_expires():
    found = ask("2026-03-10T12:00Z", started="2020-01-01T00:00Z", policy=ResetPolicy(mode="idle"))
    assert (found.fresh, found.rule, found.next_expiry_at) == (True, "RESET-10", None)


@pytest.mark.parametrize(
    ("used", "reason"),
    [("2026-03-10T01:00Z", "idle"), ("2026-03-10T02:00Z", "daily"), ("2026-03-10T03:00Z", "daily")],
    ids=["idle-first", "tie", "daily-first"],
)
def test_of_two_failed_tests_the_earlier_one_is_the_reason(used, reason):
    policy = ResetPolicy(idle_s=7200)
    found = ask("2026-03-10T12:00Z", started="2026-03-09T12:00Z", used=used, policy=policy)
    assert (found.reason, found.rule) == (reason, "RESET-16")


def test_no_mode_means_no_test():
    found = ask("2026-03-10T12:00Z", started="2020-01-01T00:00Z", policy=ResetPolicy(mode="none"))
    assert (found.fresh, found.rule, found.next_expiry_at) == (True, "RESET-10", None)
    assert found.started_at == at("2020-01-01T00:00Z")


# ---------------------------------------------------------------- what is known


def test_the_header_stands_in_for_an_unknown_start():
    found = ask("2026-03-10T12:00Z", updated="2026-03-10T11:59Z", header="2026-03-09T10:00Z")
    assert (found.fresh, found.started_at) == (False, at("2026-03-09T10:00Z"))


def test_the_last_write_stands_in_when_there_is_nothing_else():
    found = ask("2026-03-10T12:00Z", updated="2026-03-10T11:59Z")
    assert (found.fresh, found.started_at, found.interacted_at) == (True, at("2026-03-10T11:59Z"), found.started_at)


@pytest.mark.parametrize("started", ["2026-03-10T12:00:00.001Z", "1969-12-31T23:59Z"], ids=["future", "negative"])
def test_an_impossible_start_counts_as_unknown(started):
    found = ask("2026-03-10T12:00Z", started=started, updated="2026-03-10T11:00Z")
    assert found.started_at == at("2026-03-10T11:00Z")


@pytest.mark.parametrize("mode", ["daily", "idle"])
def test_a_session_of_which_nothing_is_known_is_stale(mode):
    found = ask("2026-03-10T12:00Z", policy=ResetPolicy(mode=mode, idle_s=60))
    assert (found.fresh, found.reason, found.rule, found.idle_expires_at) == (False, mode, "RESET-12", None)


@pytest.mark.parametrize(("used", "fresh"), [("2026-03-10T11:59Z", True), ("2026-03-10T11:58Z", False)])
def test_the_idle_test_needs_the_last_interaction_only(used, fresh):
    found = ask("2026-03-10T12:00Z", used=used, policy=ResetPolicy(mode="idle", idle_s=60))
    assert (found.fresh, found.rule, found.started_at) == (fresh, "RESET-15", None)
    assert found.idle_expires_at == at(used) + 60_000


def test_the_daily_test_needs_a_start():
    found = ask("2026-03-10T12:00Z", used="2026-03-10T11:59Z", policy=ResetPolicy(mode="daily", idle_s=60))
    assert (found.fresh, found.reason, found.rule, found.idle_expires_at) == (False, "daily", "RESET-12", None)


def test_a_session_of_which_nothing_is_known_goes_on_without_a_test():
    assert ask("2026-03-10T12:00Z", policy=ResetPolicy(mode="none")).fresh


def test_the_first_moment_of_1970_is_a_known_time():
    life = Lifecycle(started_at=0, updated_at=5)
    found = decide_freshness(life, header_at=None, policy=ResetPolicy(), now=10, zone=UTC)
    assert found.started_at == 0


# ---------------------------------------------------------------- quiet time and excuses

QUIET = ResetPolicy(quiet_s=600)


def test_a_session_in_use_is_not_cut_at_the_boundary():
    found = ask("2026-03-10T04:05Z", started="2026-03-09T22:00Z", used="2026-03-10T03:58Z", policy=QUIET)
    assert (found.fresh, found.rule, found.next_expiry_at) == (True, "LOSS-7", at("2026-03-10T04:08Z"))


def test_a_session_that_fell_quiet_is_cut():
    found = ask("2026-03-10T04:08Z", started="2026-03-09T22:00Z", used="2026-03-10T03:58Z", policy=QUIET)
    assert (found.fresh, found.reason) == (False, "daily")


def test_quiet_time_does_not_put_off_an_idle_reset():
    policy = ResetPolicy(mode="idle", idle_s=60, quiet_s=600)
    found = ask("2026-03-10T04:05Z", started="2026-03-09T22:00Z", used="2026-03-10T04:00Z", policy=policy)
    assert (found.fresh, found.reason) == (False, "idle")


def test_a_daily_reset_that_was_put_off_comes_due_when_the_quiet_ends():
    policy = ResetPolicy(idle_s=300, quiet_s=600)
    found = ask("2026-03-10T12:00Z", started="2026-03-09T22:00Z", used="2026-03-10T03:58Z", policy=policy)
    assert (found.reason, found.rule) == ("idle", "RESET-16")


def test_the_default_policy_does_not_cut_a_session_that_a_provider_keeps():
    stale = {"started": "2026-03-09T12:00Z", "provider_owned": True}
    kept = ask("2026-03-10T12:00Z", **stale)
    assert (kept.fresh, kept.reason, kept.rule) == (True, None, "RESET-27")
    cut = ask("2026-03-10T12:00Z", policy=ResetPolicy(explicit=True), **stale)
    assert (cut.fresh, cut.reason) == (False, "daily")


def test_a_client_that_shows_a_session_keeps_it_for_one_message():
    found = ask("2026-03-10T12:00Z", started="2026-03-09T12:00Z", shown_by_client=True)
    assert (found.fresh, found.rule, found.daily_reset_at) == (True, "RESET-28", at("2026-03-10T04:00Z"))
