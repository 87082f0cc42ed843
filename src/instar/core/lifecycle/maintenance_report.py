"""What was planned for one agent's store, what was done of it (MAINT-21), and what a warning says of it (MAINT-11)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from instar.core.lifecycle.maintenance import MaintenanceFacts, MaintenancePlan, MaintenanceSettings, plan_maintenance
from instar.core.lifecycle.maintenance_disk import DiskPlan
from instar.core.model.ids import AgentId, SessionKey

__all__ = ["MaintenanceReport", "MaintenanceWarning", "build_warning"]

_NAMED_MAX: Final = 20
"""So many sessions are named in one warning; a store of thousands would fill the log every hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceReport:
    """One store. `before_count` and `applied_count` count sessions, and files among the latter."""

    agent_id: AgentId
    plan: MaintenancePlan
    disk: DiskPlan
    before_count: int
    dry_run: bool
    applied_count: int = 0

    @property
    def would_mutate(self) -> bool:
        """Whether carrying the plan out would change anything."""
        return bool(self.plan.changes or self.disk.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceWarning:
    """What maintenance would take if it were enforced.

    `going` names sessions, each with what would become of it: ``agent:main:main prune-stale``; `more` are not named.
    `files` and `bytes` are archives and leftovers. `in_use` are sessions that are due and spared for being in use now.
    """

    going: tuple[str, ...]
    more: int
    files: int
    bytes: int
    in_use: tuple[SessionKey, ...]


def build_warning(
    report: MaintenanceReport, settings: MaintenanceSettings, facts: MaintenanceFacts
) -> MaintenanceWarning | None:
    """What the log says of a plan that is not carried out (MAINT-11); None where nothing would go.

    The session that is in use now is protected (MAINT-5), so it is in no plan; it is told by planning without that.
    """
    changes, in_use = report.plan.changes, _find_due_in_use(settings, facts)
    if not changes and not report.disk.files and not in_use:
        return None
    return MaintenanceWarning(
        going=tuple(f"{step.key} {step.action}" for step in changes[:_NAMED_MAX]),
        more=max(0, len(changes) - _NAMED_MAX),
        files=len(report.disk.files),
        bytes=sum(file.size_bytes for file in report.disk.files),
        in_use=in_use,
    )


def _find_due_in_use(settings: MaintenanceSettings, facts: MaintenanceFacts) -> tuple[SessionKey, ...]:
    active = (facts.active_key or "").lower()
    used = {row.key for row in facts.rows if row.is_active or row.key.lower() == active}
    if not used:
        return ()
    rows = tuple(replace(row, is_active=False) for row in facts.rows)
    unguarded = plan_maintenance(settings, replace(facts, rows=rows, active_key=None))
    return tuple(step.key for step in unguarded.changes if step.key in used)
