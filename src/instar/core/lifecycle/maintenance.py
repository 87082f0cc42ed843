"""Which sessions to archive, cap and delete: a plan with a reason for each key (MAINT-*, LOSS-8).

What belongs here: settings, the rows as they are, and the plan. What does not: removing anything; the plan can be
printed, refused and carried out later. `maintenance_disk` plans the space.

Theory of operation. The steps run in the order of MAINT-8, each over what the one before it left. A row that is
protected (MAINT-5, MAINT-7) passes all of them; where a limit cannot be reached because of that, the plan names the
rows that stand in the way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from instar.core.model.decision import Decision
from instar.core.model.ids import Instant, SessionId, SessionKey
from instar.core.model.session import Session
from instar.core.routing.key import DEFAULT_MAIN_KEY, is_group_key, is_main_key, is_thread_key, parse_key, strip_agent

__all__ = [
    "DAY_MS",
    "Blocker",
    "CleanupOptions",
    "MaintenanceAction",
    "MaintenanceFacts",
    "MaintenanceMode",
    "MaintenancePlan",
    "MaintenanceRow",
    "MaintenanceSettings",
    "PlannedStep",
    "Protection",
    "Trigger",
    "high_water_count",
    "is_as_planned",
    "is_model_locked",
    "is_synthetic_key",
    "oldest_first",
    "plan_maintenance",
    "protection_of",
]

DAY_MS: Final = 86_400_000

MaintenanceMode = Literal["warn", "enforce"]

Trigger = Literal["write", "cleanup", "cleanup-enforce", "dry-run"]
"""What asks for maintenance: an ordinary write of the gateway, or a cleanup command in one of its forms (MAINT-12)."""

MaintenanceAction = Literal[
    "keep",
    "prune-missing",
    "retire-dm-scope",
    "archive-dashboard",
    "prune-probe",
    "prune-stale",
    "cap-overflow",
    "evict-budget",
]

Protection = Literal[
    "archived", "pinned", "active work", "model-locked", "active key", "main session", "group", "thread", "recent"
]
"""Why no automatic step touches a row (MAINT-5, MAINT-7)."""

_PROBE_TTL_MS: Final = DAY_MS
"""A probe run is kept for a day (MAINT-8)."""

_STRICT_CAP: Final = 49
"""Up to this cap every write cuts at once; above it in batches (MAINT-9)."""

_PROBE: Final = re.compile(r"explicit:model-run-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_LOCKS: Final = ("modelSelectionLocked", "modelLocked")
"""How entries say that their model is fixed."""

_SYNTHETIC: Final = frozenset({"cron", "hook", "node", "subagent", "acp"})

_RULES: Final[dict[MaintenanceAction, str]] = {
    "prune-missing": "MAINT-14",
    "retire-dm-scope": "MAINT-15",
    "archive-dashboard": "MAINT-18",
    "prune-probe": "MAINT-8",
    "prune-stale": "MAINT-3",
    "cap-overflow": "MAINT-4",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceSettings:
    """`session.maintenance` (MAINT-1). Durations are milliseconds; None switches a limit off.

    `high_water_bytes` is where an eviction for space ends; it is set whenever `max_disk_bytes` is.
    """

    mode: MaintenanceMode = "warn"
    prune_after_ms: int = 30 * DAY_MS
    max_entries: int = 500
    preserve_recent_ms: int | None = None
    archive_dashboard_after_ms: int | None = 7 * DAY_MS
    archive_retention_ms: int | None = None
    max_disk_bytes: int | None = None
    high_water_bytes: int | None = None

    @property
    def lets_archives_go(self) -> bool:
        """Whether files of closed transcripts are removed in time: one that is gone is then not missed."""
        return self.archive_retention_ms is not None or self.max_disk_bytes is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceRow:
    """One session as maintenance sees it.

    `chat_type` is the word of its row, in any spelling. `is_active` means that work runs or waits for it.
    `has_transcript` is False when the transcript is gone or holds only a header. `size_bytes` counts its files.
    """

    key: SessionKey
    session_id: SessionId | None = None
    updated_at: Instant | None = None
    last_interaction_at: Instant | None = None
    chat_type: str | None = None
    archived_at: Instant | None = None
    pinned_at: Instant | None = None
    is_model_locked: bool = False
    is_active: bool = False
    has_transcript: bool = True
    size_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanupOptions:
    """What a cleanup command asks for beyond the automatic steps (MAINT-14, MAINT-15)."""

    fix_missing: bool = False
    fix_dm_scope: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceFacts:
    """The rows of one store and what is going on. `active_key` is the session the caller is in, None if in none."""

    rows: tuple[MaintenanceRow, ...]
    now: Instant
    trigger: Trigger
    active_key: SessionKey | None = None
    main_key: str = DEFAULT_MAIN_KEY
    dm_scope: str = "main"
    options: CleanupOptions = CleanupOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """What becomes of one session. For one that is kept, `reason` names its protection or is empty."""

    key: SessionKey
    action: MaintenanceAction
    rule: str
    reason: str = ""

    def as_decision(self) -> Decision:
        """The record of this decision (WHY-1)."""
        return Decision(kind="maintenance", outcome=self.action, rule=self.rule, inputs={"reason": self.reason})


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocker:
    """A row that keeps a limit from being reached (LOSS-8)."""

    key: SessionKey
    limit: Literal["max_entries", "max_disk_bytes"]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenancePlan:
    """What would be done, and whether it will be (`enforced`).

    `steps` holds every row of the store once, in the order of the store.
    """

    mode: MaintenanceMode
    enforced: bool
    steps: tuple[PlannedStep, ...]
    blockers: tuple[Blocker, ...] = ()

    def keys_of(self, action: MaintenanceAction) -> tuple[SessionKey, ...]:
        """The sessions that have this action."""
        return tuple(step.key for step in self.steps if step.action == action)

    @property
    def removals(self) -> tuple[PlannedStep, ...]:
        """The steps that remove a row."""
        return tuple(step for step in self.steps if step.action not in {"keep", "archive-dashboard"})

    @property
    def changes(self) -> tuple[PlannedStep, ...]:
        """The steps that change anything."""
        return tuple(step for step in self.steps if step.action != "keep")

    @property
    def after_count(self) -> int:
        """How many rows are left when the plan is carried out."""
        return len(self.steps) - len(self.removals)


def plan_maintenance(settings: MaintenanceSettings, facts: MaintenanceFacts) -> MaintenancePlan:
    """The plan for one store (MAINT-3…9, MAINT-14, MAINT-15, MAINT-18). Space is planned by `maintenance_disk`."""
    chosen: dict[SessionKey, MaintenanceAction] = {}

    def left() -> list[MaintenanceRow]:
        return [row for row in facts.rows if row.key not in chosen or chosen[row.key] == "archive-dashboard"]

    def choose(action: MaintenanceAction, rows: Iterable[MaintenanceRow]) -> None:
        for row in rows:
            chosen[row.key] = action

    if facts.options.fix_missing:
        choose("prune-missing", [row for row in left() if not row.has_transcript and not _is_held(row, facts)])
    if facts.options.fix_dm_scope and facts.dm_scope == "main":
        choose("retire-dm-scope", [row for row in left() if _is_isolated(row.key) and not _is_held(row, facts)])
    choose("archive-dashboard", _idle_dashboards(left(), settings, facts))
    free = {row.key for row in left() if row.key not in chosen and protection_of(row, settings, facts) is None}
    if len(left()) >= _pressure_count(settings, facts):
        choose("prune-probe", [row for row in left() if row.key in free and _is_old_probe(row, facts.now)])
    choose("prune-stale", [row for row in left() if row.key in free and _is_stale(row, settings, facts.now)])
    if len(left()) >= _pressure_count(settings, facts):
        oldest = sorted((row for row in left() if row.key in free), key=oldest_first)
        choose("cap-overflow", oldest[: max(0, len(left()) - settings.max_entries)])
    return MaintenancePlan(
        mode=settings.mode,
        enforced=facts.trigger == "cleanup-enforce" or (settings.mode == "enforce" and facts.trigger != "dry-run"),
        steps=_build_steps(facts, settings, chosen),
        blockers=_find_blockers(left(), settings, facts),
    )


def protection_of(row: MaintenanceRow, settings: MaintenanceSettings, facts: MaintenanceFacts) -> Protection | None:
    """Why no automatic step touches the row; None if nothing protects it (MAINT-5…7)."""
    held = _is_held(row, facts)
    if held is not None:
        return held
    if is_synthetic_key(row.key):
        return None
    if is_main_key(row.key, main_key=facts.main_key):
        return "main session"
    chat_type = (row.chat_type or "").strip().lower()
    if is_group_key(row.key) or chat_type in {"group", "channel", "room"}:
        return "group"
    if is_thread_key(row.key) or chat_type in {"thread", "topic"}:
        return "thread"
    window = settings.preserve_recent_ms
    is_recent = window is not None and row.updated_at is not None and facts.now - row.updated_at <= window
    return "recent" if is_recent else None


def is_as_planned(planned: MaintenanceRow, found: MaintenanceRow) -> bool:
    """Whether a row is still what the plan saw; one used, pinned or put away since waits for the next plan (LOSS-8)."""
    return (planned.session_id, planned.updated_at, planned.archived_at, planned.pinned_at) == (
        found.session_id,
        found.updated_at,
        found.archived_at,
        found.pinned_at,
    )


def is_model_locked(session: Session) -> bool:
    """Whether whoever keeps a session has fixed its model (MAINT-5).

    Nothing here sets that; entries of OpenClaw may bring it along, and what an entry says is kept.
    """
    return any(session.extra.get(name) is True for name in _LOCKS)


def is_synthetic_key(key: str) -> bool:
    """Whether a key belongs to no conversation of people: its kind protects no row (MAINT-6)."""
    rest = strip_agent(key.lower())
    is_heartbeat = rest == "heartbeat" or rest.startswith("heartbeat:") or rest.endswith(":heartbeat")
    return is_heartbeat or rest.startswith("explicit:") or parse_key(key).type in _SYNTHETIC


def high_water_count(max_entries: int) -> int:
    """How many rows an ordinary write lets grow before it cuts back to the cap (MAINT-9)."""
    return max_entries + (1 if max_entries <= _STRICT_CAP else max(25, -(-max_entries // 10)))


def oldest_first(row: MaintenanceRow) -> tuple[bool, int, str]:
    """The order in which rows go: those without a time first, then the oldest, then by key (MAINT-4)."""
    return row.updated_at is not None, row.updated_at or 0, row.key


def _build_steps(
    facts: MaintenanceFacts, settings: MaintenanceSettings, chosen: dict[SessionKey, MaintenanceAction]
) -> tuple[PlannedStep, ...]:
    """One step per row, in the order of the store."""
    steps = []
    for row in facts.rows:
        action = chosen.get(row.key, "keep")
        if action == "keep":
            reason = protection_of(row, settings, facts) or ""
            rule = "MAINT-7" if reason == "recent" else "MAINT-5" if reason else "MAINT-3"
            steps.append(PlannedStep(key=row.key, action="keep", rule=rule, reason=reason))
            continue
        steps.append(PlannedStep(key=row.key, action=action, rule=_RULES[action], reason=_REASONS[action]))
    return tuple(steps)


_REASONS: Final[dict[MaintenanceAction, str]] = {
    "prune-missing": "its transcript is gone or empty",
    "retire-dm-scope": "direct messages share the main session now",
    "archive-dashboard": "not used for long",
    "prune-probe": "an old probe run, and the store is full",
    "prune-stale": "not changed for long",
    "cap-overflow": "the store holds too many sessions",
}


# --- parts ------------------------------------------------------------------------------------------------------------


def _is_held(row: MaintenanceRow, facts: MaintenanceFacts) -> Protection | None:
    """The five reasons that hold for every row, whatever its key (MAINT-5, MAINT-6)."""
    if row.archived_at is not None:
        return "archived"
    if row.pinned_at is not None:
        return "pinned"
    if row.is_active:
        return "active work"
    if row.is_model_locked:
        return "model-locked"
    return "active key" if facts.active_key is not None and row.key.lower() == facts.active_key.lower() else None


def _is_isolated(key: str) -> bool:
    return parse_key(key).type == "direct"


def _is_old_probe(row: MaintenanceRow, now: Instant) -> bool:
    is_probe = _PROBE.fullmatch(strip_agent(row.key.lower())) is not None
    return is_probe and row.updated_at is not None and row.updated_at < now - _PROBE_TTL_MS


def _is_stale(row: MaintenanceRow, settings: MaintenanceSettings, now: Instant) -> bool:
    return row.updated_at is not None and row.updated_at < now - settings.prune_after_ms


def _idle_dashboards(
    rows: Sequence[MaintenanceRow], settings: MaintenanceSettings, facts: MaintenanceFacts
) -> list[MaintenanceRow]:
    window = settings.archive_dashboard_after_ms
    if window is None:
        return []
    found = []
    for row in rows:
        used_at = row.last_interaction_at if row.last_interaction_at is not None else row.updated_at
        is_dashboard = strip_agent(row.key.lower()).startswith("dashboard:")
        if is_dashboard and used_at is not None and used_at < facts.now - window and _is_held(row, facts) is None:
            found.append(row)
    return found


def _pressure_count(settings: MaintenanceSettings, facts: MaintenanceFacts) -> int:
    """From how many rows on the cap presses: at once for cleanups, above the high-water mark for writes (MAINT-9)."""
    return high_water_count(settings.max_entries) if facts.trigger == "write" else settings.max_entries + 1


def _find_blockers(
    left: Sequence[MaintenanceRow], settings: MaintenanceSettings, facts: MaintenanceFacts
) -> tuple[Blocker, ...]:
    """The protected rows that keep the store above its cap although it was cut."""
    if len(left) <= settings.max_entries or len(left) < _pressure_count(settings, facts):
        return ()
    return tuple(
        Blocker(key=row.key, limit="max_entries", reason=protection_of(row, settings, facts) or "archived")
        for row in left
    )
