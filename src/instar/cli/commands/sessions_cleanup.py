"""`instar sessions cleanup`: what maintenance would do to stored sessions, and doing it (CLI-8, MAINT-12…22)."""

from __future__ import annotations

from pathlib import Path

import click

from instar.cli.connect import open_source
from instar.cli.options import GatewayFlags, gateway_options, json_option
from instar.cli.render import render_table
from instar.cli.terminal import clean, print_json, say, shows_colour
from instar.client.wire import Payload
from instar.core.explain.counting import count_of

__all__ = ["command"]


@click.command("cleanup")
@click.option("--dry-run", is_flag=True, help="Only plan; needs no gateway.")
@click.option("--enforce", is_flag=True, help="Carry the plan out, whatever maintenance.mode says.")
@click.option("--fix-missing", is_flag=True, help="Also sessions whose transcript is gone.")
@click.option("--fix-dm-scope", is_flag=True, help="Also isolated direct chats, where dmScope is main.")
@click.option("--active-key", metavar="KEY", help="A session that must stay.")
@click.option("--agent", metavar="ID", help="Sessions of this agent.")
@click.option("--all-agents", is_flag=True, help="Sessions of every agent.")
@click.option("--store", type=click.Path(path_type=Path), metavar="PATH", help="This database, without a gateway.")
@json_option
@gateway_options
def command(
    *,
    flags: GatewayFlags,
    dry_run: bool,
    enforce: bool,
    fix_missing: bool,
    fix_dm_scope: bool,
    active_key: str | None,
    agent: str | None,
    all_agents: bool,
    store: Path | None,
    as_json: bool,
) -> None:
    """Plan maintenance: an action and a reason for each session. What is removed is archived first.

    With --store and without --dry-run no gateway may use that database.
    """
    if store and (agent or all_agents):
        raise click.UsageError("--store cannot be joined with --agent or --all-agents.")
    given: dict[str, object] = {
        "dryRun": dry_run,
        "enforce": enforce,
        "fixMissing": fix_missing,
        "fixDmScope": fix_dm_scope,
        "allAgents": all_agents,
        "agent": agent,
        "activeKey": active_key,
    }
    with open_source(flags, store=store, may_write=store is not None and not dry_run) as source:
        found = source.call("sessions.cleanup", {name: value for name, value in given.items() if value})
    if as_json:
        print_json(found)
        return
    for report in found.get("stores") or [found]:
        _tell(report)


def _tell(report: Payload) -> None:
    actions = [one for one in report["actions"] if one["action"] != "keep"]
    rows = [(clean(str(one["key"])), one["action"], clean(str(one["reason"])), one["rule"]) for one in actions]
    if rows:
        say(render_table(("Session", "Action", "Why", "Rule"), rows, colour=shows_colour()))
    for blocker in report.get("blockers") or ():
        say(f"In the way: {', '.join(f'{name} {clean(str(value))}' for name, value in blocker.items())}")
    agent = clean(str(report.get("agentId") or "every agent"))
    before, after = report["beforeCount"], report["afterCount"]
    if not report["wouldMutate"]:
        say(f"{agent}: {count_of(before, 'session')}, nothing to do.")
    elif report.get("applied"):
        say(f"{agent}: {count_of(before, 'session is', 'sessions are')} {after} now.")
    else:
        say(f"{agent}: {count_of(before, 'session')} would be {after}; nothing was changed. --enforce carries it out.")
