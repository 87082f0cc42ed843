"""What was planned for one agent's store, and what a warning says of it (MAINT-11, MAINT-21)."""

from __future__ import annotations

from dataclasses import replace

from instar.core.lifecycle.maintenance import (
    DAY_MS,
    MaintenanceFacts,
    MaintenancePlan,
    MaintenanceRow,
    MaintenanceSettings,
    PlannedStep,
    plan_maintenance,
)
from instar.core.lifecycle.maintenance_disk import DiskPlan, PlannedFile
from instar.core.lifecycle.maintenance_report import MaintenanceReport, MaintenanceWarning, build_warning
from instar.core.model.ids import AgentId, Instant, SessionKey


def report(*actions: str, files: tuple[PlannedFile, ...] = ()) -> MaintenanceReport:
    steps = tuple(PlannedStep(key=SessionKey(f"k{n}"), action=one, rule="MAINT-3") for n, one in enumerate(actions))
    return MaintenanceReport(
        agent_id=AgentId("main"),
        plan=MaintenancePlan(mode="warn", enforced=False, steps=steps),
        disk=DiskPlan(files=files, before_bytes=0, after_bytes=0),
        before_count=len(steps),
        dry_run=True,
    )


def test_a_plan_that_keeps_everything_changes_nothing() -> None:
    assert not report("keep", "keep").would_mutate
    assert not report().would_mutate


def test_a_removed_session_or_file_is_a_change() -> None:
    assert report("keep", "prune-stale").would_mutate
    assert report(files=(PlannedFile(name="a", size_bytes=1, rule="MAINT-17"),)).would_mutate


# --- what a warning says ----------------------------------------------------------------------------------------------

NOW = Instant(1_800_000_000_000)
OLD = MaintenanceRow(key=SessionKey("agent:main:telegram:direct:old"), updated_at=Instant(NOW - 40 * DAY_MS))
SETTINGS = MaintenanceSettings()


def warn(*rows: MaintenanceRow, files: tuple[PlannedFile, ...] = (), active_key: str | None = None):
    facts = MaintenanceFacts(
        rows=rows, now=NOW, trigger="write", active_key=SessionKey(active_key) if active_key else None
    )
    told = replace(report(files=files), plan=plan_maintenance(SETTINGS, facts))
    return build_warning(told, SETTINGS, facts)


def test_nothing_is_said_where_nothing_would_go() -> None:
    assert warn(replace(OLD, updated_at=NOW)) is None
    assert warn(replace(OLD, updated_at=NOW, is_active=True)) is None


def test_a_warning_names_what_would_go() -> None:
    file = PlannedFile(name="a.jsonl.deleted", size_bytes=7, rule="MAINT-19")
    assert warn(OLD, files=(file,)) == MaintenanceWarning(
        going=("agent:main:telegram:direct:old prune-stale",), more=0, files=1, bytes=7, in_use=()
    )
    assert warn(files=(file,)) == MaintenanceWarning(going=(), more=0, files=1, bytes=7, in_use=())


def test_a_long_warning_is_cut_and_says_so() -> None:
    many = [replace(OLD, key=SessionKey(f"agent:main:telegram:direct:{number}")) for number in range(25)]
    told = warn(*many)
    assert (len(told.going), told.more) == (20, 5)


def test_a_session_in_use_that_is_due_is_told_and_spared() -> None:
    working = replace(OLD, is_active=True)
    assert warn(working) == MaintenanceWarning(going=(), more=0, files=0, bytes=0, in_use=(OLD.key,))
    told = warn(replace(OLD, key=SessionKey("agent:main:cron:job")), OLD, active_key=OLD.key.upper())
    assert (told.going, told.in_use) == (("agent:main:cron:job prune-stale",), (OLD.key,))
