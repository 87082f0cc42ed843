"""`instar sessions delete`: remove sessions; their transcripts are archived (CLI-3, CLI-26, RPC-35)."""

from __future__ import annotations

import sys

import click

from instar.cli.connect import Source, find_session, open_gateway
from instar.cli.options import GatewayFlags, gateway_options, json_option
from instar.cli.terminal import clean, print_json, say, warn
from instar.core.explain.counting import count_of
from instar.errors import InstarError, InvalidRequest

__all__ = ["command"]

Result = dict[str, object]


@click.command("delete")
@click.argument("sessions", nargs=-1, required=True)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@click.option("--keep-transcript", is_flag=True, help="Leave the transcripts where they are.")
@json_option
@gateway_options
def command(
    *,
    flags: GatewayFlags,
    sessions: tuple[str, ...],
    yes: bool,
    dry_run: bool,
    keep_transcript: bool,
    as_json: bool,
) -> int:
    """Delete sessions. Asks once; what was said is archived first, unless it is to stay."""
    if not yes and not dry_run and (as_json or not sys.stdin.isatty()):
        raise InvalidRequest(
            "Nothing was deleted", why="nobody can be asked here", fix="Say --yes, or --dry-run to see what would go."
        )
    with open_gateway(flags) as gateway:
        chosen = [_find(gateway, word) for word in sessions]
        if not yes and not dry_run:
            _ask([str(one["key"]) for one in chosen if one["ok"]])
        results = [_delete(gateway, one, dry_run=dry_run, keep_transcript=keep_transcript) for one in chosen]
    is_good = all(one["ok"] for one in results)
    if as_json:
        print_json({"ok": is_good, "operation": "delete", "dryRun": dry_run, "results": results})
    else:
        for one in results:
            _tell(one)
    return 0 if is_good else 1


def _find(source: Source, word: str) -> Result:
    """The session that is meant, or why there is none; one that is not there does not hold up the others."""
    try:
        return {"key": find_session(source, word), "ok": True}
    except InstarError as error:
        return {"key": word, "ok": False, "status": "failed", "error": str(error)}


def _ask(keys: list[str]) -> None:
    for key in keys:
        warn(f"  {clean(key)}")
    if keys:
        click.confirm(f"Delete {count_of(len(keys), 'session')}?", abort=True, err=True)


def _delete(source: Source, one: Result, *, dry_run: bool, keep_transcript: bool) -> Result:
    if not one["ok"]:
        return one
    if dry_run:
        return {**one, "status": "would-delete"}
    try:
        done = source.call("sessions.delete", {"key": one["key"], "deleteTranscript": not keep_transcript})
    except InstarError as error:
        return {**one, "ok": False, "status": "failed", "error": str(error)}
    return {**one, "status": "deleted" if done["deleted"] else "missing", "archived": list(done.get("archived", ()))}


def _tell(one: Result) -> None:
    words = {"deleted": "deleted", "missing": "was not there", "would-delete": "would be deleted"}
    if one["ok"]:
        say(f"{clean(str(one['key']))} {words[str(one['status'])]}.")
    else:
        warn(f"{clean(str(one['key']))}: {one['error']}")
