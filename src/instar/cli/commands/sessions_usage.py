"""`instar sessions usage`: what was spent, by agent and model, and how far budgets are used up (COST-1, COST-2)."""

from __future__ import annotations

import click

from instar.cli.connect import find_session, open_source
from instar.cli.options import GatewayFlags, Whole, gateway_options, json_option
from instar.cli.render import format_count, render_table
from instar.cli.terminal import clean, print_json, say, shows_colour
from instar.client.wire import Payload

__all__ = ["command"]

HEADS = ("Agent", "Model", "Calls", "In", "Cached", "Out", "Cost")


@click.command("usage")
@click.argument("session", required=False)
@click.option("--days", type=Whole(1, 3650), metavar="N", help="Only the last N days.")
@click.option("--agent", metavar="ID", help="Only this agent.")
@json_option
@gateway_options
def command(*, flags: GatewayFlags, session: str | None, days: int | None, agent: str | None, as_json: bool) -> None:
    """Show what was spent in all, or in one session. Deleted sessions count."""
    params: dict[str, object] = {"days": days} if days else {}
    params |= {"agentId": agent} if agent else {}
    with open_source(flags) as source:
        if session:
            params["key"] = find_session(source, session)
        found = source.call("sessions.usage", params)
    if as_json:
        print_json(found)
        return
    rows = [_columns(row) for row in found["byModel"]]
    if not rows:
        say("Nothing was spent yet.")
    else:
        total = _columns({**found["totals"], "agentId": "all", "provider": "", "model": ""})
        say(render_table(HEADS, [*rows, total], colour=shows_colour()))
    for budget in found.get("budgets") or ():
        _tell_budget(budget)


def _columns(row: Payload) -> tuple[str, ...]:
    cost = row.get("totalCost")
    return (
        clean(str(row["agentId"])),
        clean("/".join(part for part in (str(row["provider"]), str(row["model"])) if part)),
        str(row["calls"]),
        format_count(row["input"]),
        format_count(row["cacheRead"]),
        format_count(row["output"]),
        "" if cost is None else f"${cost:.4f}",
    )


def _tell_budget(budget: Payload) -> None:
    name = clean(str(budget.get("name") or "Budget"))
    forecast = budget.get("forecastUsd")
    later = "" if forecast is None else f", forecast ${forecast:.2f}"
    spent, limit = budget["spentUsd"], budget["limitUsd"]
    say(f"{name} per {budget['per']} ({budget['action']}): ${spent:.2f} of ${limit:.2f}{later}")
