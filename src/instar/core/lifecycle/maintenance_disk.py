"""Which files and sessions go when space runs out, and which files are leftovers (MAINT-16, MAINT-17, MAINT-19).

What belongs here: the plan over sizes and ages. What does not: measuring and deleting, and the steps that do not look
at space (`instar.core.lifecycle.maintenance`). An evicted session leaves an archive like any other (LOSS-8, decision
0028); that is smaller, and while the space is still short the oldest archives are the first to go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from instar.core.lifecycle.maintenance import (
    Blocker,
    MaintenanceFacts,
    MaintenancePlan,
    MaintenanceRow,
    MaintenanceSettings,
    PlannedStep,
    oldest_first,
    protection_of,
)
from instar.core.model.ids import Instant, SessionKey

__all__ = ["TEMPORARY_TTL_MS", "DiskFacts", "DiskFile", "DiskPlan", "PlannedFile", "plan_disk"]

TEMPORARY_TTL_MS: Final = 300_000
"""A temporary file older than five minutes belongs to a write that died (MAINT-17)."""

FileKind = Literal["archive", "orphan", "temporary"]
"""An archived transcript, a transcript that no session uses, an unfinished write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFile:
    """A file that maintenance may delete."""

    name: str
    kind: FileKind
    size_bytes: int
    modified_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFacts:
    """What an agent's transcripts, archives and mirror take together, and the files among them that may go."""

    used_bytes: int
    files: tuple[DiskFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFile:
    """A file to delete, and why."""

    name: str
    size_bytes: int
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskPlan:
    """What the files and the space are like before and after. `over` is True if the limit was passed before."""

    files: tuple[PlannedFile, ...]
    before_bytes: int
    after_bytes: int
    over: bool = False


def plan_disk(
    plan: MaintenancePlan, settings: MaintenanceSettings, facts: MaintenanceFacts, disk: DiskFacts
) -> tuple[MaintenancePlan, DiskPlan]:
    """`plan` with the evictions that the space asks for, and the files that go with them (MAINT-8)."""
    files = list(_leftovers(settings, facts, disk.files))
    used = disk.used_bytes - sum(file.size_bytes for file in files)
    limit, target = settings.max_disk_bytes, settings.high_water_bytes
    if limit is None or target is None or used <= limit:
        return plan, DiskPlan(files=tuple(files), before_bytes=disk.used_bytes, after_bytes=used)
    going = {file.name for file in files}
    for file in sorted(disk.files, key=lambda file: (file.modified_at, file.name)):
        if used > target and file.kind != "temporary" and file.name not in going:
            files.append(PlannedFile(name=file.name, size_bytes=file.size_bytes, rule="MAINT-16"))
            used -= file.size_bytes
    evicted: dict[SessionKey, MaintenanceRow] = {}
    for row in sorted(_evictable(plan, settings, facts), key=oldest_first):
        if used > target:
            evicted[row.key] = row
            used -= row.size_bytes
    blockers = _find_blockers(plan, settings, facts) if used > limit else ()
    return (
        replace(plan, steps=_evict(plan.steps, evicted), blockers=(*plan.blockers, *blockers)),
        DiskPlan(files=tuple(files), before_bytes=disk.used_bytes, after_bytes=used, over=True),
    )


def _leftovers(
    settings: MaintenanceSettings, facts: MaintenanceFacts, files: Sequence[DiskFile]
) -> Iterator[PlannedFile]:
    """Files that go for their age alone. Orphans and unfinished writes are a matter of cleanups (MAINT-17)."""
    limits: dict[FileKind, int | None] = {"archive": settings.archive_retention_ms}
    if facts.trigger != "write":
        limits |= {"orphan": settings.prune_after_ms, "temporary": TEMPORARY_TTL_MS}
    for file in files:
        limit = limits.get(file.kind)
        if limit is not None and facts.now - file.modified_at > limit:
            rule = "MAINT-19" if file.kind == "archive" else "MAINT-17"
            yield PlannedFile(name=file.name, size_bytes=file.size_bytes, rule=rule)


def _kept(plan: MaintenancePlan, facts: MaintenanceFacts) -> Iterator[MaintenanceRow]:
    actions = {step.key: step.action for step in plan.steps}
    return (row for row in facts.rows if actions[row.key] == "keep")


def _evictable(
    plan: MaintenancePlan, settings: MaintenanceSettings, facts: MaintenanceFacts
) -> Iterator[MaintenanceRow]:
    return (row for row in _kept(plan, facts) if protection_of(row, settings, facts) is None)


def _evict(steps: Sequence[PlannedStep], evicted: dict[SessionKey, MaintenanceRow]) -> tuple[PlannedStep, ...]:
    reason = "the store takes too much space"
    return tuple(
        PlannedStep(key=step.key, action="evict-budget", rule="MAINT-16", reason=reason)
        if step.key in evicted
        else step
        for step in steps
    )


def _find_blockers(
    plan: MaintenancePlan, settings: MaintenanceSettings, facts: MaintenanceFacts
) -> tuple[Blocker, ...]:
    held = ((row.key, protection_of(row, settings, facts)) for row in _kept(plan, facts))
    return tuple(Blocker(key=key, limit="max_disk_bytes", reason=reason) for key, reason in held if reason is not None)
