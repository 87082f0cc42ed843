"""`instar explain`: why things went as they did, in sentences, the newest first (WHY-2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from instar.cli.connect import Source, find_session, open_source
from instar.cli.options import GatewayFlags, Whole, gateway_options, json_option
from instar.cli.render import format_moment
from instar.cli.terminal import clean, paint, print_json, say, shows_colour
from instar.client.wire import Payload
from instar.core.routing.normalize import CHAT_WORDS
from instar.errors import NotFound

__all__ = ["command", "find_rows"]


@click.command("explain")
@click.argument("what", metavar="[SESSION|MESSAGE|TURN]", required=False)
@click.option("--route", "is_route", is_flag=True, help="What would become of a message, without sending one.")
@click.option("--channel", metavar="NAME", help="With --route: the channel it would come through.")
@click.option("--chat", type=click.Choice(CHAT_WORDS), default="direct", help="With --route.")
@click.option("--peer", metavar="ID", help="With --route: the person, or the group.")
@click.option("--sender", metavar="ID", help="With --route: who writes in a group.")
@click.option("--account", metavar="ID", help="With --route: the account of the channel.")
@click.option("--thread", metavar="ID", help="With --route: the topic or thread.")
@click.option("--space", metavar="ID", help="With --route: the server or team.")
@click.option("--text", metavar="TEXT", help="With --route: its words.")
@click.option("--mentioned", is_flag=True, help="With --route: it addresses the agent.")
@click.option("--limit", type=Whole(1, 1000), metavar="N", default=50, show_default=True, help="At most so many.")
@json_option
@gateway_options
def command(
    *, flags: GatewayFlags, what: str | None, is_route: bool, limit: int, as_json: bool, **message: object
) -> None:
    """Explain what was decided about a session, a message or a turn, and by which rule.

    Or, with --route, what would become of a message: which session, who may write, and why.
    """
    if is_route:
        tell_route(flags, message, as_json=as_json)
        return
    if not what:
        raise click.UsageError("Name a session, a message or a turn, or say --route.")
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


def tell_route(flags: GatewayFlags, message: Mapping[str, object], *, as_json: bool) -> None:
    """What would become of a message (WHY-3)."""
    missing = [name for name in ("channel", "peer") if not message.get(name)]
    if missing:
        raise click.UsageError(f"--route needs {' and '.join(f'--{name}' for name in missing)}.")
    given = {name: value for name, value in message.items() if value}
    with open_source(flags) as source:
        found = source.call("sessions.route", given)
    if as_json:
        print_json(found)
        return
    colour = shows_colour()
    says = {"accepted": "would be answered", "observed": "would be kept as context", "refused": "would be refused"}
    say(f"The message {says[found['status']]}; session {paint(clean(str(found['sessionKey'])), 'bold', on=colour)}")
    if found.get("hint"):
        say(f"  {clean(str(found['hint']))}")
    for row in found["rows"]:
        say(f"\n{paint(str(row['question']), 'dim', on=colour)}")
        say(f"  {clean(str(row['sentence']))}")
    if found.get("nextExpiryAt"):
        say(f"\nWithout a word more the session starts over {format_moment(found['nextExpiryAt'])}.")


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
            why="a message goes by the id of its platform or of the gateway, a session by key, id or label",
            fix="List the sessions with `instar sessions list`; `instar explain SESSION --json` tells the other ids.",
        ) from None
    return f"Session {key}", source.call("sessions.explain", {"key": key, "limit": limit})["rows"]
