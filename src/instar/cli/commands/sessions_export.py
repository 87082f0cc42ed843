"""`instar sessions export`: a session as a document, to standard output or a file (CLI-4, CLI-20)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click

from instar.cli.connect import ID_PREFIX_MIN_CHARS, Source, find_session, open_source
from instar.cli.options import GatewayFlags, gateway_options, json_option
from instar.cli.terminal import print_json, say
from instar.errors import InvalidRequest

__all__ = ["command", "find_transcript"]

FORMATS: Final = {"json": "json", "jsonl": "jsonl", "markdown": "markdown", "md": "markdown", "html": "html"}


@click.command("export")
@click.argument("session")
@click.option("--format", "form", type=click.Choice(list(FORMATS)), default="json", show_default=True, help="As what.")
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write it there.")
@click.option("--all-branches", is_flag=True, help="Not only the active branch.")
@click.option("--raw", is_flag=True, help="Leave secrets in it.")
@json_option
@gateway_options
def command(
    *,
    flags: GatewayFlags,
    session: str,
    form: str,
    output: Path | None,
    all_branches: bool,
    raw: bool,
    as_json: bool,
) -> None:
    """Export a session, or by its session id one of the transcripts that resets have closed."""
    with open_source(flags) as source:
        key = find_session(source, session)
        params: dict[str, object] = {"key": key, "format": FORMATS[form], "allBranches": all_branches, "raw": raw}
        session_id = find_transcript(source, key, session)
        params |= {"sessionId": session_id} if session_id else {}
        exported = source.call("sessions.export", params)
    content = str(exported["content"])
    if output is None and as_json and FORMATS[form] != "json":
        print_json({"ok": True, "key": key, "format": FORMATS[form], "content": content})
    elif output is None:
        sys.stdout.write(content)
    else:
        size = _write(output, content)
        if as_json:
            print_json({"ok": True, "key": key, "format": FORMATS[form], "path": str(output), "bytes": size})
        else:
            say(f"Exported {key} to {output} ({size} bytes).")


def find_transcript(source: Source, key: str, word: str) -> str | None:
    """The closed transcript of a session that `word` names; None when it means the session as it is now.

    Raises `InvalidRequest` when several begin so.
    """
    name = word.strip().lower()
    if len(name) < ID_PREFIX_MIN_CHARS:
        return None
    heads = source.call("sessions.transcripts", {"key": key})["transcripts"]
    begin = [head for head in heads if str(head["sessionId"]).lower().startswith(name)]
    meant = [head for head in begin if str(head["sessionId"]).lower() == name] or begin
    if len(meant) > 1:
        raise InvalidRequest(
            f"Several transcripts of {key} begin with {word}",
            why=", ".join(str(head["sessionId"]) for head in meant),
            fix="Write more of the one that is meant.",
        )
    return str(meant[0]["sessionId"]) if meant and not meant[0]["isCurrent"] else None


def _write(path: Path, content: str) -> int:
    """Write a private file anew; how many bytes it has."""
    from instar.system.files import replace_file

    data = content.encode("utf-8", "replace")
    replace_file(path, [data])
    return len(data)
