"""`instar sessions list`: which sessions there are, the last used first (CLI-1, CLI-19, CLI-21…25)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from instar.cli.connect import Source, open_source
from instar.cli.options import GatewayFlags, gateway_options, json_option
from instar.cli.render import list_columns, render_table
from instar.cli.terminal import print_json, say, shows_colour
from instar.client.wire import Payload
from instar.core.explain.counting import count_of
from instar.errors import InvalidRequest

__all__ = ["build_document", "build_row", "command", "parse_limit", "parse_minutes"]

PAGE: Final = 1000
"""Rows asked for at once where all are wanted: large pages are slow to begin, small ones slow to end."""

_DIGITS: Final = 9
"""Of a number that is typed: more than any list has rows, and than anybody has lived minutes."""

HEADS: Final = ("Kind", "Key", "Age", "Model", "Tokens (ctx %)", "Flags")

ROW_FIELDS: Final = (
    "kind",
    "updatedAt",
    "ageMs",
    "sessionId",
    "systemSent",
    "abortedLastRun",
    "thinkingLevel",
    "verboseLevel",
    "reasoningLevel",
    "elevatedLevel",
    "responseUsage",
    "groupActivation",
    "inputTokens",
    "outputTokens",
    "totalTokens",
    "model",
    "contextTokens",
)
"""What a row of ``--json`` holds beside its key (CLI-21)."""


@click.command("list")
@json_option
@click.option("--active", metavar="MINUTES", help="Only sessions used within so many minutes.")
@click.option("--limit", metavar="N|all", default="100", show_default=True, help="At most so many.")
@click.option("--agent", metavar="ID", help="Only sessions of this agent.")
@click.option("--all-agents", is_flag=True, help="Sessions of every agent, each row with its agent.")
@click.option("--store", type=click.Path(path_type=Path), metavar="PATH", help="Read this database instead.")
@click.option("--verbose", is_flag=True, help="Whole keys, and titles.")
@gateway_options
def command(
    *,
    flags: GatewayFlags,
    as_json: bool,
    active: str | None,
    limit: str,
    agent: str | None,
    all_agents: bool,
    store: Path | None,
    verbose: bool,
) -> None:
    """List sessions, the last used first."""
    if store is not None and (agent or all_agents):
        raise click.UsageError("--store cannot be joined with --agent or --all-agents.")
    if agent and all_agents:
        raise click.UsageError("--agent cannot be joined with --all-agents.")
    minutes, most = parse_minutes(active), parse_limit(limit)
    params: dict[str, object] = {"includeGlobal": True, "includeUnknown": True, "includeDerivedTitles": verbose}
    params |= {"activeMinutes": minutes} if minutes is not None else {}
    params |= {"agentId": agent} if agent else {}
    with open_source(flags, store=store) as source:
        listed = load_rows(source, params, limit=most)
        agents = load_agents(source) if as_json and all_agents else None
    if as_json:
        print_json(build_document(listed, limit=most, minutes=minutes, agents=agents))
    else:
        tell(listed, minutes=minutes, is_verbose=verbose)


def parse_minutes(text: str | None) -> int | None:
    """The minutes of ``--active``; None if it is not given. Raises `InvalidRequest` for no positive integer."""
    if text is None:
        return None
    minutes = _parse_whole(text)
    if minutes is None:
        raise InvalidRequest(f"--active must be a positive whole number of minutes, not {text[:40]!r}", field="active")
    return minutes


def parse_limit(text: str) -> int | None:
    """The number of ``--limit``; None for all. Raises `InvalidRequest` for anything else."""
    if text.strip().lower() == "all":
        return None
    most = _parse_whole(text)
    if most is None:
        raise InvalidRequest(f'--limit must be a positive whole number or "all", not {text[:40]!r}', field="limit")
    return most


def _parse_whole(text: str) -> int | None:
    """A whole number from 1 on, None for anything else."""
    digits = text.strip()
    return int(digits) if digits.isdecimal() and len(digits) <= _DIGITS and int(digits) >= 1 else None


def load_rows(source: Source, params: dict[str, object], *, limit: int | None) -> dict[str, Any]:  # Any: JSON
    """The first page with the rows of the following ones in it, as far as the limit goes."""
    listed = dict(source.call("sessions.list", {**params, "limit": PAGE if limit is None else min(limit, PAGE)}))
    rows = list(listed["sessions"])
    while listed.get("hasMore") and (limit is None or len(rows) < limit):
        size = PAGE if limit is None else min(limit - len(rows), PAGE)
        page = source.call("sessions.list", {**params, "limit": size, "offset": len(rows)})
        listed["hasMore"] = page["hasMore"]
        rows += page["sessions"]
        if not page["sessions"]:
            break
    return {**listed, "sessions": rows}


def load_agents(source: Source) -> tuple[str, ...]:
    """The agents that there are, whether or not anybody has written to them."""
    return tuple(str(agent["id"]) for agent in source.call("agents.list")["agents"])


def build_document(
    listed: Payload, *, limit: int | None, minutes: int | None, agents: Sequence[str] | None
) -> dict[str, object]:
    """The JSON of the list: CLI-21. With `agents`, those of the gateway, that of ``--all-agents`` (CLI-22)."""
    rows = [build_row(row, defaults=listed.get("defaults") or {}, now=listed["ts"]) for row in listed["sessions"]]
    document: dict[str, object] = {
        "path": None if agents is not None else listed.get("path"),
        "count": len(rows),
        "totalCount": listed.get("totalCount", len(rows)),
        "limitApplied": limit,
        "hasMore": bool(listed.get("hasMore")),
        "activeMinutes": minutes,
        "sessions": rows,
    }
    if agents is not None:
        # Sessions outlive the agent that they were held with.
        known = sorted({*agents, *(str(row["agentId"]) for row in listed["sessions"] if row.get("agentId"))})
        document["stores"] = [{"agentId": agent, "path": listed.get("path")} for agent in known]
        document["allAgents"] = True
    return document


def build_row(row: Payload, *, defaults: Payload, now: int) -> dict[str, object]:
    """One session with every field of CLI-21; null where there is no value."""
    updated_at = row.get("updatedAt")
    known = {
        **row,
        "ageMs": None if updated_at is None else max(0, now - updated_at),
        "model": row.get("model") or defaults.get("model"),
        "contextTokens": row.get("contextTokens") or defaults.get("contextTokens"),
    }
    return {"key": row["key"], **{name: known.get(name) for name in ROW_FIELDS}, "agentId": row.get("agentId")}


def tell(listed: Payload, *, minutes: int | None, is_verbose: bool) -> None:
    """The list for people: what was asked, then the table."""
    rows, total = listed["sessions"], listed.get("totalCount", 0)
    within = "" if minutes is None else f" active within {count_of(minutes, 'minute')}"
    if not rows:
        # A person's token is not told where files lie.
        place = f" in {listed['path']}" if listed.get("path") else ""
        say(f"No sessions{within}{place}.")
        return
    if listed.get("path"):
        say(f"Session store: {listed['path']}")
    say(f"Sessions listed: {len(rows)}" + (f" of {total}" if total > len(rows) else ""))
    if minutes is not None:
        say(f"Filtered to the last {count_of(minutes, 'minute')}")
    heads = (*HEADS, "Title") if is_verbose else HEADS
    defaults, now = listed.get("defaults") or {}, listed["ts"]
    lines = [list_columns(row, defaults=defaults, now=now, is_whole=is_verbose) for row in rows]
    say(render_table(heads, lines, colour=shows_colour()))
