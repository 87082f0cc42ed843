"""`instar sessions search`: messages in which all words occur, the newest first (SEARCH-1…6)."""

from __future__ import annotations

import click

from instar.cli.connect import find_session, open_source
from instar.cli.options import GatewayFlags, Whole, gateway_options, json_option
from instar.cli.render import format_moment
from instar.cli.terminal import clean, paint, print_json, say, shows_colour

__all__ = ["command"]


@click.command("search")
@click.argument("words", nargs=-1, required=True)
@click.option("--session", "sessions", multiple=True, metavar="SESSION", help="Only in this session; may be repeated.")
@click.option("--agent", metavar="ID", help="Only in sessions of this agent.")
@click.option("--limit", type=Whole(1, 100), metavar="N", default=20, show_default=True, help="At most.")
@json_option
@gateway_options
def command(
    *,
    flags: GatewayFlags,
    words: tuple[str, ...],
    sessions: tuple[str, ...],
    agent: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Search what was said, also in transcripts that were closed by resets."""
    params: dict[str, object] = {"query": " ".join(words), "limit": limit}
    params |= {"agentId": agent} if agent else {}
    with open_source(flags) as source:
        if sessions:
            params["sessionKeys"] = [find_session(source, word) for word in sessions]
        found = source.call("sessions.search", params)
    if as_json:
        print_json(found)
        return
    colour = shows_colour()
    for hit in found["results"]:
        head = f"{format_moment(hit['timestamp'])}  {clean(str(hit['sessionKey']))}  {clean(str(hit['role']))}"
        say(f"{paint(head, 'dim', on=colour)}\n  {clean(str(hit['excerpt']))}")
    if found.get("encrypted"):
        say("No message was searched: words are stored encrypted (session.encryption). `sessions list --search` finds")
        say("sessions by key and id, and `sessions show` reads one.")
    elif not found["results"]:
        say("Nothing that was said holds all of these words.")
    if found.get("indexing"):
        say("(The newest messages are still being indexed.)")
