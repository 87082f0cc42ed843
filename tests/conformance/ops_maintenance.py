"""`maintenance.json`: what a store keeps (MAINT-*). Lists of removed keys compare as sets."""

from __future__ import annotations

from instar.config.aliases import apply_aliases
from instar.config.sections.maintenance import parse_maintenance
from instar.config.sections.routing import parse_routing
from instar.core.lifecycle.maintenance import MaintenanceFacts, MaintenanceRow, plan_maintenance

LISTS = ("modelRunPruned", "stale", "capped")


def build_row(entry, now):
    age = entry.get("ageMs")
    return MaintenanceRow(
        key=entry["key"],
        updated_at=None if age is None else now - age,
        chat_type=entry.get("chatType"),
        archived_at=entry.get("archivedAt"),
        pinned_at=entry.get("pinnedAt"),
        is_model_locked=bool(entry.get("modelLocked")),
        is_active=bool(entry.get("activeRun")),
    )


def maintain(case):
    config = apply_aliases(case.get("config") or {})
    facts = MaintenanceFacts(
        rows=tuple(build_row(entry, case["now"]) for entry in case["entries"]),
        now=case["now"],
        trigger=case["trigger"],
        active_key=case.get("activeKey"),
        main_key=parse_routing(config).keys.main_key,
    )
    plan = plan_maintenance(parse_maintenance(config), facts)
    return {
        "mode": plan.mode,
        "applied": plan.enforced,
        "modelRunPruned": list(plan.keys_of("prune-probe")),
        "stale": list(plan.keys_of("prune-stale")),
        "capped": list(plan.keys_of("cap-overflow")),
        "afterCount": plan.after_count,
        "remainingCount": plan.after_count if plan.enforced else len(plan.steps),
    }


def normalise(answer):
    return {name: sorted(value) if name in LISTS else value for name, value in answer.items()}


OPS = {"": maintain}
NORMALISE = normalise
