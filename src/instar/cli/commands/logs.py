"""`instar logs`: the gateway's log as lines for people (CLI-10)."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from instar.cli.connect import find_session, open_gateway
from instar.cli.options import GatewayFlags, Whole, gateway_options, json_option
from instar.cli.terminal import clean, paint, print_json, say, shows_colour, warn
from instar.client.wire import Payload
from instar.config.paths import resolve_state_dir
from instar.errors import GatewayUnreachable
from instar.system.clock import SystemClock
from instar.system.log_tail import read_tail

__all__ = ["command", "tell_line"]

Read = Callable[[int | None], Payload]
"""Lines from a cursor on, in the form of `logs.tail`."""

_COLOURS: Final = {"warning": "yellow", "error": "red", "critical": "red", "debug": "dim"}


@click.command("logs")
@click.option("--session", metavar="SESSION", help="Only lines about this session.")
@click.option("--follow", "-f", is_flag=True, help="Go on until Ctrl-C.")
@click.option("--limit", type=Whole(1, 5000), metavar="N", default=200, show_default=True, help="Lines.")
@click.option(
    "--max-bytes",
    type=Whole(1, 1_000_000),
    metavar="N",
    default=250_000,
    show_default=True,
    help="Bytes read.",
)
@click.option("--interval", type=Whole(100), metavar="MS", default=1000, show_default=True, help="Between two looks.")
@click.option("--plain", is_flag=True, help="Without colours.")
@click.option("--utc", is_flag=True, help="Times in UTC.")
@json_option
@gateway_options
def command(
    *,
    flags: GatewayFlags,
    session: str | None,
    follow: bool,
    limit: int,
    max_bytes: int,
    interval: int,
    plain: bool,
    utc: bool,
    as_json: bool,
) -> None:
    """Show the last lines of the gateway's log; without a gateway, those that it has left.

    With --json --follow each line is an object of its own.
    """
    read = _reader(flags, session, limit=limit, max_bytes=max_bytes)
    colour = shows_colour() and not plain
    cursor: int | None = None
    while True:
        found = read(cursor)
        if cursor is None and found.get("truncated") and not as_json:
            warn("(There is more before this; --limit and --max-bytes reach further back.)")
        if as_json and not follow:
            print_json({**found, "lines": [_parse(line) for line in found["lines"]]})
            return
        for line in found["lines"]:
            say(line if as_json else tell_line(line, utc=utc, colour=colour))
        if not follow:
            return
        sys.stdout.flush()
        cursor = found["cursor"]
        pause(interval / 1000)


def pause(seconds: float) -> None:
    """Wait before the next look."""
    asyncio.run(SystemClock().sleep(seconds))


def _reader(flags: GatewayFlags, session: str | None, *, limit: int, max_bytes: int) -> Read:
    """Asks the gateway, or where none answers the file that it has left behind."""
    params: dict[str, object] = {"limit": limit, "maxBytes": max_bytes}
    try:
        with open_gateway(flags) as gateway:
            if session:
                params["session"] = find_session(gateway, session)
    except GatewayUnreachable as error:
        if flags.url is not None:
            raise
        warn(f"{error.what}; reading the file instead.")
        file = resolve_state_dir(os.environ, home=Path.home()) / "logs" / "gateway.log"
        return lambda cursor: _read_file(file, cursor, session, limit=limit, max_bytes=max_bytes)

    def ask(cursor: int | None) -> Payload:
        with open_gateway(flags) as gateway:
            return gateway.call("logs.tail", {**params, **({} if cursor is None else {"cursor": cursor})})

    return ask


def _read_file(file: Path, cursor: int | None, session: str | None, *, limit: int, max_bytes: int) -> Payload:
    names = frozenset({session}) if session else None
    tail = read_tail(file, cursor=cursor, limit=limit, max_bytes=max_bytes, session=names)
    return {"lines": list(tail.lines), "cursor": tail.cursor, "truncated": tail.truncated}


def tell_line(line: str, *, utc: bool, colour: bool) -> str:
    """One line of the log for a person; one that is no JSON is shown as it is."""
    event = _parse(line)
    if not isinstance(event, dict):
        return clean(line)
    level, name = str(event.pop("level", "info")), str(event.pop("event", ""))
    at = _moment(event.pop("at", None), utc=utc)
    facts = " ".join(_facts(event))
    told = f"{at} {level:<8} {clean(name)}{' ' if facts else ''}{facts}"
    style = _COLOURS.get(level)
    return paint(told, style, on=colour) if style else told


def _parse(line: str) -> object:
    """The object of a line, or the line itself."""
    try:
        parsed: object = json.loads(line)
    except ValueError:
        return line
    return parsed


def _facts(event: dict[str, object]) -> Iterator[str]:
    for name, value in event.items():
        if value is not None:
            yield f"{clean(name)}={clean(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))}"


def _moment(at: object, *, utc: bool) -> str:
    """A time of the log on the wall of this machine, or in UTC; whatever stands there if it is none."""
    try:
        if isinstance(at, int | float) and not isinstance(at, bool):
            moment = datetime.fromtimestamp(at / 1000, tz=UTC)
        else:
            moment = datetime.fromisoformat(str(at))
    except (ValueError, OverflowError, OSError):
        return clean(str(at or ""))
    shown = moment.astimezone(UTC) if utc else moment.astimezone()
    return f"{shown:%Y-%m-%d %H:%M:%S}"
