"""What was planned for one agent's store, and what was done of it (MAINT-21)."""

from __future__ import annotations

from instar.core.lifecycle.maintenance import MaintenancePlan, PlannedStep
from instar.core.lifecycle.maintenance_disk import DiskPlan, PlannedFile
from instar.core.lifecycle.maintenance_report import MaintenanceReport
from instar.core.model.ids import AgentId, SessionKey


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
