"""`instar sessions compact`: put a summary in place of the older part of a context, or take one back (CLI-6)."""

from __future__ import annotations

import click

from instar.cli.connect import find_session, open_gateway
from instar.cli.options import GatewayFlags, Whole, gateway_options, json_option
from instar.cli.render import format_count
from instar.cli.terminal import clean, print_json, say, warn

__all__ = ["command"]

PATIENCE_MS = 600_000
"""A summary may take a model minutes."""


@click.command("compact")
@click.argument("session")
@click.option("--instructions", metavar="TEXT", help="What the summary should mind.")
@click.option("--max-lines", type=Whole(min=1), metavar="N", help="Show the last N lines only; no summary.")
@click.option("--undo", is_flag=True, help="Take the newest summary back.")
@json_option
@gateway_options
def command(
    *, flags: GatewayFlags, session: str, instructions: str | None, max_lines: int | None, undo: bool, as_json: bool
) -> int:
    """Make a session's context smaller. No line of the transcript is lost; 1 when it failed."""
    if undo and (instructions or max_lines):
        raise click.UsageError("--undo stands alone.")
    params: dict[str, object] = {"undo": True} if undo else {}
    params |= {"instructions": instructions} if instructions else {}
    params |= {"maxLines": max_lines} if max_lines else {}
    with open_gateway(flags._replace(timeout_ms=max(flags.timeout_ms, PATIENCE_MS))) as gateway:
        key = find_session(gateway, session)
        done = gateway.call("sessions.compact", {"key": key, **params})
    if as_json:
        print_json(done)
    elif done["compacted"]:
        sizes = done["result"]
        what = "The summary is taken back" if undo else "Compacted"
        before, after = format_count(sizes["tokensBefore"]), format_count(sizes["tokensAfter"])
        say(f"{what}: {before} → {after} tokens in the window of {clean(key)}.")
        if done.get("archived"):
            say(f"A copy of the whole lies at {clean(str(done['archived']))}.")
    else:
        (say if done["ok"] else warn)(f"{clean(key)}: {done.get('reason') or 'nothing to do'}")
    return 0 if done["ok"] else 1
