"""What was planned for one agent's store, and what was done of it (MAINT-21)."""

from __future__ import annotations

from dataclasses import dataclass

from instar.core.lifecycle.maintenance import MaintenancePlan
from instar.core.lifecycle.maintenance_disk import DiskPlan
from instar.core.model.ids import AgentId

__all__ = ["MaintenanceReport"]


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
