"""What a store keeps, with a reason for each session (MAINT-*, LOSS-8)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.lifecycle.maintenance import (
    DAY_MS,
    CleanupOptions,
    MaintenanceFacts,
    MaintenanceRow,
    MaintenanceSettings,
    high_water_count,
    is_as_planned,
    is_model_locked,
    is_synthetic_key,
    plan_maintenance,
    protection_of,
)
from instar.core.model.ids import AgentId, Instant, SessionId, SessionKey
from instar.core.model.session import Session

NOW = Instant(1_800_000_000_000)
UUID = "01234567-89ab-cdef-0123-456789abcdef"


def row(name="telegram:direct:a", days=None, **fields):
    key = SessionKey(name if name == "global" else f"agent:main:{name}")
    return MaintenanceRow(key=key, updated_at=None if days is None else Instant(int(NOW - days * DAY_MS)), **fields)


def facts(*rows, trigger="cleanup-enforce", **fields):
    return MaintenanceFacts(rows=rows, now=NOW, trigger=trigger, **fields)


def plan(*rows, settings=None, trigger="cleanup-enforce", **fields):
    given_settings = settings or MaintenanceSettings()
    return plan_maintenance(given_settings, facts(*rows, trigger=trigger, **fields))


def actions(made):
    return {step.key.removeprefix("agent:main:"): step.action for step in made.steps}


@pytest.mark.parametrize(
    ("extra", "is_locked"),
    [
        ({"modelSelectionLocked": True}, True),
        ({"modelLocked": True}, True),
        ({"modelSelectionLocked": "yes"}, False),
        ({}, False),
    ],
)
def test_a_lock_of_the_model_is_read_from_what_an_entry_brought(extra, is_locked):
    session = Session(key=SessionKey("agent:main:x"), agent_id=AgentId("main"), session_id=SessionId("s"), extra=extra)
    assert is_model_locked(session) is is_locked


# --- who is protected -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_row", "reason"),
    [
        (row(archived_at=Instant(0)), "archived"),
        (row(pinned_at=Instant(0)), "pinned"),
        (row(is_active=True), "active work"),
        (row(is_model_locked=True), "model-locked"),
        (row("main"), "main session"),
        (row("home"), "main session"),
        (row("global"), "main session"),
        (row("telegram:group:-1"), "group"),
        (row("discord:channel:1"), "group"),
        (row("x", chat_type="Room"), "group"),
        (row("x", chat_type=" Thread"), "thread"),
        (row("x", chat_type="topic"), "thread"),
        (row("slack:direct:u:thread:9"), "thread"),
        (row("telegram:group:-1:topic:9"), "group"),
        (row("cron:j"), None),
        (row("cron:j:thread:1"), None),
        (row("hook:h", chat_type="group"), None),
        (row("heartbeat"), None),
        (row("main:heartbeat"), None),
        (row("cron:j", pinned_at=Instant(1)), "pinned"),
        (row(), None),
    ],
    ids=str,
)
def test_each_protection_has_its_reason(given_row, reason):
    assert protection_of(given_row, MaintenanceSettings(), facts(main_key="home")) == reason


def test_the_session_the_caller_is_in_is_protected():
    assert protection_of(row(), MaintenanceSettings(), facts(active_key="Agent:Main:telegram:direct:A")) == "active key"


@pytest.mark.parametrize(("days", "reason"), [(1, "recent"), (2, "recent"), (2.1, None), (None, None)])
def test_recent_conversations_can_be_protected(days, reason):
    settings = MaintenanceSettings(preserve_recent_ms=2 * DAY_MS)
    assert protection_of(row(days=days), settings, facts()) == reason
    assert protection_of(row("cron:j", days=days), settings, facts()) is None


@pytest.mark.parametrize(
    ("name", "synthetic"),
    [
        ("cron:1", True),
        ("hook:1", True),
        ("node-1", True),
        ("subagent:1", True),
        ("acp:1", True),
        (f"explicit:model-run-{UUID}", True),
        ("heartbeat:1", True),
        ("telegram:direct:1", False),
        ("dashboard:1", False),
        ("main", False),
    ],
)
def test_keys_of_machines_are_told_from_keys_of_people(name, synthetic):
    assert is_synthetic_key(f"agent:main:{name}") is synthetic


# --- the steps --------------------------------------------------------------------------------------------------------


def test_stale_sessions_go_and_those_without_a_time_stay():
    made = plan(row("telegram:direct:old", 31), row("telegram:direct:edge", 30), row("telegram:direct:none"))
    assert actions(made) == {
        "telegram:direct:old": "prune-stale",
        "telegram:direct:edge": "keep",
        "telegram:direct:none": "keep",
    }


def test_over_the_cap_the_oldest_go_and_those_without_a_time_first():
    rows = [row("telegram:direct:b", 2), row("telegram:direct:none"), row("telegram:direct:a", 1), row("main", 9)]
    made = plan(*rows, settings=MaintenanceSettings(max_entries=2))
    assert made.keys_of("cap-overflow") == ("agent:main:telegram:direct:b", "agent:main:telegram:direct:none")
    assert made.after_count == 2


@pytest.mark.parametrize(
    ("cap", "mark"), [(1, 2), (49, 50), (50, 75), (250, 275), (251, 277), (500, 550), (1000, 1100)]
)
def test_writes_let_the_store_grow_to_the_high_water_mark(cap, mark):
    assert high_water_count(cap) == mark


def test_the_high_water_mark_counts_what_the_stale_ones_left():
    settings = MaintenanceSettings(max_entries=2)
    rows = [row("telegram:direct:a", 1), row("telegram:direct:b", 2), row("telegram:direct:old", 40)]
    assert plan(*rows, settings=settings, trigger="write").keys_of("cap-overflow") == ()


def test_old_probes_go_only_under_pressure():
    probe, young = row(f"explicit:model-run-{UUID}", 2), row(f"explicit:model-run-{UUID[:-1]}0", 0.5)
    other = row("explicit:model-run-mine", 2)
    full = MaintenanceSettings(max_entries=2)
    assert actions(plan(probe, young, other)) == dict.fromkeys(actions(plan(probe, young, other)), "keep")
    assert plan(probe, young, other, settings=full).keys_of("prune-probe") == (probe.key,)
    assert plan(probe, young, settings=full).keys_of("prune-probe") == ()


def test_a_probe_without_a_time_is_no_old_probe():
    made = plan(row(f"explicit:model-run-{UUID}"), row("main", 1), settings=MaintenanceSettings(max_entries=1))
    assert made.keys_of("prune-probe") == ()


def test_idle_dashboards_are_archived_and_then_kept():
    idle, used = row("dashboard:1", 40), row("dashboard:2", 40, last_interaction_at=NOW)
    made = plan(idle, row("dashboard:3", 6), row("dashboard:4"), row("dashboard:5", 40, pinned_at=NOW), used)
    assert actions(made) == {
        "dashboard:1": "archive-dashboard",
        "dashboard:2": "prune-stale",
        "dashboard:3": "keep",
        "dashboard:4": "keep",
        "dashboard:5": "keep",
    }
    assert made.after_count == 4
    assert [step.key for step in made.changes] == [idle.key, used.key]
    assert plan(idle, settings=MaintenanceSettings(archive_dashboard_after_ms=None)).keys_of("prune-stale")


def test_a_cleanup_can_remove_sessions_without_a_transcript():
    gone, held = row("main", 1, has_transcript=False), row("telegram:direct:b", 1, has_transcript=False, is_active=True)
    options = CleanupOptions(fix_missing=True)
    assert actions(plan(gone, held, row("telegram:direct:c", 1), options=options)) == {
        "main": "prune-missing",
        "telegram:direct:b": "keep",
        "telegram:direct:c": "keep",
    }
    assert actions(plan(gone)) == {"main": "keep"}


def test_a_cleanup_can_retire_isolated_direct_chats_where_all_share_the_main_session():
    rows = [row("telegram:direct:a", 1), row("direct:ann", 1), row("telegram:group:-1", 1), row("main", 1)]
    options = CleanupOptions(fix_dm_scope=True)
    made = plan(*rows, options=options)
    assert made.keys_of("retire-dm-scope") == (rows[0].key, rows[1].key)
    assert plan(*rows, options=options, dm_scope="per-peer").keys_of("retire-dm-scope") == ()


# --- the plan ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "trigger", "enforced"),
    [
        ("warn", "write", False),
        ("warn", "cleanup", False),
        ("warn", "cleanup-enforce", True),
        ("warn", "dry-run", False),
        ("enforce", "write", True),
        ("enforce", "cleanup", True),
        ("enforce", "cleanup-enforce", True),
        ("enforce", "dry-run", False),
    ],
)
def test_a_plan_is_carried_out_by_mode_and_command(mode, trigger, enforced):
    made = plan(settings=MaintenanceSettings(mode=mode), trigger=trigger)
    assert (made.mode, made.enforced) == (mode, enforced)


def test_every_session_has_a_step_with_a_rule_and_a_reason():
    made = plan(
        row("telegram:direct:old", 40),
        row("main", 40),
        row("telegram:direct:new", 1),
        settings=MaintenanceSettings(preserve_recent_ms=DAY_MS),
    )
    assert [(step.action, step.rule, step.reason) for step in made.steps] == [
        ("prune-stale", "MAINT-3", "not changed for long"),
        ("keep", "MAINT-5", "main session"),
        ("keep", "MAINT-7", "recent"),
    ]
    plain = plan(row("telegram:direct:new", 1)).steps[0]
    assert (plain.rule, plain.reason) == ("MAINT-3", "")
    record = made.steps[0].as_decision()
    assert (record.kind, record.outcome, record.inputs) == (
        "maintenance",
        "prune-stale",
        {"reason": "not changed for long"},
    )


def test_what_keeps_the_cap_from_being_reached_is_listed():
    made = plan(
        row("telegram:group:-1", 1),
        row("telegram:group:-2", 1),
        row("dashboard:1", 40),
        row("telegram:direct:a", 1),
        settings=MaintenanceSettings(max_entries=2),
    )
    assert made.keys_of("cap-overflow") == ("agent:main:telegram:direct:a",)
    assert [(blocker.key, blocker.limit, blocker.reason) for blocker in made.blockers] == [
        ("agent:main:telegram:group:-1", "max_entries", "group"),
        ("agent:main:telegram:group:-2", "max_entries", "group"),
        ("agent:main:dashboard:1", "max_entries", "archived"),
    ]
    assert plan(row("main", 1)).blockers == ()


ROWS = st.lists(
    st.builds(
        row,
        st.sampled_from(
            [
                *[
                    "main",
                    "telegram:direct:a",
                    "telegram:direct:b",
                    "telegram:group:1",
                    "cron:1",
                    "hook:2",
                    "dashboard:3",
                ],
                *[f"explicit:model-run-{UUID}", "slack:direct:u:thread:1", "direct:ann"],
            ]
        ),
        st.none() | st.sampled_from([0, 0.5, 2, 8, 29, 31, 100]),
        archived_at=st.none() | st.just(NOW),
        is_active=st.booleans(),
        has_transcript=st.booleans(),
    ),
    max_size=8,
    unique_by=lambda each: each.key,
)


@given(
    ROWS,
    st.integers(1, 4),
    st.sampled_from(["write", "cleanup-enforce"]),
    st.builds(CleanupOptions, fix_missing=st.booleans(), fix_dm_scope=st.booleans()),
)
def test_no_active_or_archived_session_is_touched_and_the_cap_holds_or_is_explained(rows, cap, trigger, options):
    settings = MaintenanceSettings(max_entries=cap)
    made = plan(*rows, settings=settings, trigger=trigger, options=options)
    assert [step.key for step in made.steps] == [each.key for each in rows]
    by_key = {each.key: each for each in rows}
    for step in made.changes:
        assert not by_key[step.key].is_active
        assert by_key[step.key].archived_at is None
    if trigger != "write" and made.after_count > cap:
        assert made.blockers


@pytest.mark.parametrize(
    "change",
    [
        {"session_id": SessionId("another")},
        {"updated_at": Instant(9)},
        {"archived_at": Instant(9)},
        {"pinned_at": Instant(9)},
    ],
)
def test_a_row_that_changed_since_is_not_as_planned(change):
    planned = row("telegram:direct:a", 1)
    assert is_as_planned(planned, replace(planned, is_active=True, size_bytes=5))
    assert not is_as_planned(planned, replace(planned, **change))
