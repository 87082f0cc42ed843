"""Methods that look after sessions (RPC-9…12, LOSS-6, LOSS-9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Final, cast

from instar.api.call import Call, Handler
from instar.api.port import ExportFormat
from instar.core.lifecycle.maintenance import CleanupOptions, MaintenanceAction
from instar.core.lifecycle.maintenance_report import MaintenanceReport
from instar.core.model.ids import Instant, SessionId
from instar.core.model.query import UsageRow
from instar.core.policy.budget import BudgetState
from instar.core.policy.scopes import ADMIN, has_scope
from instar.errors import Forbidden

__all__ = ["HANDLERS"]

_DAY_MS: Final = 86_400_000


async def compact_session(call: Call) -> object:
    """`sessions.compact`."""
    params, key = call.params, call.key("key")
    lines = params.maybe_whole("maxLines")
    outcome = await call.gateway.upkeep.compact(
        key,
        who=call.caller.who,
        instructions=params.text("instructions"),
        keep_lines=lines,
        undo=params.flag("undo"),
    )
    answer: dict[str, object] = {
        "ok": outcome.status != "failed",
        "key": key,
        "compacted": outcome.status == "compacted",
        "result": {"tokensBefore": outcome.tokens_before, "tokensAfter": outcome.tokens_after},
    }
    if outcome.why:
        answer["reason"] = outcome.why
    if lines is not None and outcome.status == "compacted":
        answer["kept"] = lines
    if outcome.archived:
        answer["archived"] = outcome.archived
    return answer


async def resume_session(call: Call) -> object:
    """`sessions.resume`."""
    key = call.key("key")
    session_id = await call.gateway.upkeep.resume(key, call.params.text("sessionId"), who=call.caller.who)
    return {"ok": True, "key": key, "sessionId": session_id}


async def export_session(call: Call) -> object:
    """`sessions.export`."""
    params, key = call.params, call.key("key")
    form = cast("ExportFormat", params.text("format") or "json")  # the table lets no other word through
    if params.flag("raw") and not has_scope(call.caller.scopes, ADMIN):
        raise Forbidden("An export with its secrets needs more rights", why="raw was asked for", missing_scope=ADMIN)
    session_id = params.maybe_text("sessionId")
    content = await call.gateway.upkeep.export(
        key,
        form=form,
        raw=params.flag("raw"),
        session_id=SessionId(session_id) if session_id else None,
        all_branches=params.flag("allBranches"),
        is_owner=call.sight.sees_all,
    )
    return {"ok": True, "key": key, "format": form, "content": content}


async def load_usage(call: Call) -> object:
    """`sessions.usage`."""
    params, now = call.params, call.services.clock.now()
    days = params.maybe_whole("days")
    rows = await call.gateway.upkeep.usage(
        call.maybe_key("key"),
        since=None if days is None else Instant(now - days * _DAY_MS),
        owner_in=call.owner_in,
    )
    agent = call.agent()
    shown = [row for row in rows if agent is None or row.agent_id == agent]
    answer: dict[str, object] = {
        "updatedAt": now,
        "totals": _sum(shown),
        "byModel": [_usage_row(row) for row in shown],
    }
    if not params.text("key") and call.sight.sees_all:
        answer["budgets"] = [_budget(state) for state in await call.gateway.upkeep.budgets()]
    return answer


async def clean_up(call: Call) -> object:
    """`sessions.cleanup`."""
    params = call.params
    reports = await call.gateway.upkeep.clean(
        call.agent("agent") or call.agent(),
        all_agents=params.flag("allAgents"),
        trigger="dry-run" if params.flag("dryRun") else "cleanup-enforce" if params.flag("enforce") else "cleanup",
        active_key=call.maybe_key("activeKey"),
        options=CleanupOptions(fix_missing=params.flag("fixMissing"), fix_dm_scope=params.flag("fixDmScope")),
    )
    path = call.gateway.facts().store_path
    stores = [_report(report, path) for report in reports]
    if not params.flag("allAgents"):
        return stores[0]
    first = reports[0]
    return {"allAgents": True, "mode": first.plan.mode, "dryRun": first.dry_run, "stores": stores}


def _report(report: MaintenanceReport, path: str) -> dict[str, object]:
    """One store as MAINT-21 tells it, with an action and a reason for each key (MAINT-12)."""
    plan = report.plan

    def count(action: MaintenanceAction) -> int:
        return len(plan.keys_of(action))

    answer: dict[str, object] = {
        "agentId": report.agent_id,
        "storePath": path,
        "mode": plan.mode,
        "dryRun": report.dry_run,
        "beforeCount": report.before_count,
        "afterCount": plan.after_count,
        "missing": count("prune-missing"),
        "dmScopeRetired": count("retire-dm-scope"),
        "modelRunPruned": count("prune-probe"),
        "pruned": count("prune-stale"),
        "capped": count("cap-overflow"),
        "diskBudget": asdict(report.disk) if report.disk.over or report.disk.files else None,
        "wouldMutate": report.would_mutate,
        "actions": [
            {"key": step.key, "action": step.action, "rule": step.rule, "reason": step.reason} for step in plan.steps
        ],
        "blockers": [asdict(blocker) for blocker in plan.blockers],
    }
    if plan.enforced and not report.dry_run:
        answer |= {"applied": True, "appliedCount": report.applied_count}
    return answer


def _budget(state: BudgetState) -> dict[str, object]:
    budget = state.spending.budget
    return {
        "name": budget.name,
        "per": budget.per,
        "action": budget.action,
        "limitUsd": budget.limit_usd,
        "spentUsd": state.spending.spent_usd,
        "forecastUsd": state.forecast_usd,
        "startsAt": state.window.start,
        "endsAt": state.window.end,
    }


def _usage_row(row: UsageRow) -> dict[str, object]:
    return {
        "agentId": row.agent_id,
        "provider": row.provider,
        "model": row.model,
        "calls": row.calls,
        "input": row.input_tokens,
        "output": row.output_tokens,
        "cacheRead": row.cache_read_tokens,
        "cacheWrite": row.cache_write_tokens,
        "totalCost": row.cost_usd,
    }


def _sum(rows: Sequence[UsageRow]) -> dict[str, object]:
    costs = [row.cost_usd for row in rows if row.cost_usd is not None]
    return {
        "calls": sum(row.calls for row in rows),
        "input": sum(row.input_tokens for row in rows),
        "output": sum(row.output_tokens for row in rows),
        "cacheRead": sum(row.cache_read_tokens for row in rows),
        "cacheWrite": sum(row.cache_write_tokens for row in rows),
        "totalCost": sum(costs) if costs else None,
    }


HANDLERS: Final[Mapping[str, Handler]] = {
    "sessions.compact": compact_session,
    "sessions.resume": resume_session,
    "sessions.export": export_session,
    "sessions.usage": load_usage,
    "sessions.cleanup": clean_up,
}
