"""`instar sessions archive`: set sessions aside, or back (CLI-7, CLI-26, PATCH-14)."""

from __future__ import annotations

import click

from instar.cli.connect import Source, find_session, open_gateway
from instar.cli.options import GatewayFlags, gateway_options, json_option
from instar.cli.terminal import clean, print_json, say, warn
from instar.errors import InstarError

__all__ = ["command"]

Result = dict[str, object]


@click.command("archive")
@click.argument("sessions", nargs=-1, required=True)
@click.option("--undo", is_flag=True, help="Bring them back to the list.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@json_option
@gateway_options
def command(*, flags: GatewayFlags, sessions: tuple[str, ...], undo: bool, dry_run: bool, as_json: bool) -> int:
    """Set sessions aside: they leave the list and stay as they are. The main session cannot be archived."""
    with open_gateway(flags) as gateway:
        results = [_archive(gateway, word, archived=not undo, dry_run=dry_run) for word in sessions]
    is_good = all(one["ok"] for one in results)
    if as_json:
        operation = "unarchive" if undo else "archive"
        print_json({"ok": is_good, "operation": operation, "dryRun": dry_run, "results": results})
    else:
        for one in results:
            told = f"{clean(str(one['key']))}: {one.get('error') or one['status']}"
            (say if one["ok"] else warn)(told)
    return 0 if is_good else 1


def _archive(source: Source, word: str, *, archived: bool, dry_run: bool) -> Result:
    try:
        key = find_session(source, word)
        row = source.call("sessions.describe", {"key": key}).get("session") or {}
        if bool(row.get("archivedAt")) == archived:
            return {"key": key, "ok": True, "status": "already archived" if archived else "not archived"}
        if not dry_run:
            source.call("sessions.patch", {"key": key, "archived": archived})
    except InstarError as error:
        return {"key": word, "ok": False, "status": "failed", "error": str(error)}
    done = "archived" if archived else "back in the list"
    return {"key": key, "ok": True, "status": f"would be {done}" if dry_run else done}
