"""`instar explain`: why things went as they did, in sentences, the newest first (WHY-2)."""

from __future__ import annotations

from collections.abc import Sequence

import click

from instar.cli.connect import Source, find_session, open_source
from instar.cli.options import GatewayFlags, gateway_options, json_option
from instar.cli.render import format_moment
from instar.cli.terminal import clean, paint, print_json, say, shows_colour
from instar.client.wire import Payload
from instar.errors import NotFound

__all__ = ["command", "find_rows"]


@click.command("explain")
@click.argument("what", metavar="SESSION|MESSAGE|TURN")
@click.option(
    "--limit", type=click.IntRange(1, 1000), metavar="N", default=50, show_default=True, help="At most so many."
)
@json_option
@gateway_options
def command(*, flags: GatewayFlags, what: str, limit: int, as_json: bool) -> None:
    """Explain what was decided about a session, a message or a turn, and by which rule."""
    with open_source(flags) as source:
        about, rows = find_rows(source, what, limit=limit)
    if as_json:
        print_json(rows)
        return
    colour = shows_colour()
    say(f"{paint(clean(about), 'bold', on=colour)}, the newest first")
    if not rows:
        say("Nothing was decided here yet.")
    for row in rows:
        say(f"\n{format_moment(row['at'])}  {paint(str(row['question']), 'dim', on=colour)}")
        say(f"  {clean(str(row['sentence']))}")


def find_rows(source: Source, what: str, *, limit: int) -> tuple[str, Sequence[Payload]]:
    """What was meant, and the decisions about it. Raises `NotFound` for what is neither session, message nor turn."""
    try:
        key = find_session(source, what)
    except NotFound:
        # A key keeps its decisions without a session, too: whoever was refused there has none.
        for name, field in (("Message", "inboundId"), ("Turn", "turnId"), ("Session", "key")):
            rows = source.call("sessions.explain", {field: what.strip(), "limit": limit})["rows"]
            if rows:
                return f"{name} {what.strip()}", rows
        raise NotFound(
            f"There is no session, message or turn {what.strip()}",
            fix="List the sessions with `instar sessions list`.",
        ) from None
    return f"Session {key}", source.call("sessions.explain", {"key": key, "limit": limit})["rows"]
