"""`instar people list`: everybody whom the store knows (LEAK-11)."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import click

from instar.cli.connect import open_gateway
from instar.cli.options import GatewayFlags, Whole, gateway_options, json_option
from instar.cli.render import format_moment, render_table
from instar.cli.terminal import clean, print_json, say, shows_colour
from instar.errors import GatewayUnreachable

__all__ = ["command"]

HEADS: Final = ("Id", "Names", "Ids", "Sessions", "Messages", "Last")


@click.command("list")
@click.option("--limit", type=Whole(1, 100_000), default=1000, show_default=True, metavar="N", help="At most so many.")
@json_option
@gateway_options
def command(*, flags: GatewayFlags, limit: int, as_json: bool) -> None:
    """List everybody who wrote, owns a session or has a token; linked ids are one person."""
    try:
        with open_gateway(flags) as gateway:
            people: Any = gateway.call("people.list", {"limit": limit})["people"]  # Any: rows of the wire
    except GatewayUnreachable:
        if flags.url is not None:
            raise
        people = asyncio.run(_read(flags, limit))
    if as_json:
        print_json({"people": people})
        return
    if not people:
        say("Nobody is known yet.")
        return
    rows = [
        (
            clean(row["id"]),
            clean(", ".join(row["names"])),
            clean(", ".join(row["ids"])),
            str(row["sessions"]),
            str(row["messages"]),
            "" if row["lastAt"] is None else format_moment(row["lastAt"]),
        )
        for row in people
    ]
    say(render_table(HEADS, rows, colour=shows_colour()))


async def _read(flags: GatewayFlags, limit: int) -> list[dict[str, object]]:
    from instar.api.handlers.people import build_person
    from instar.cli.people_offline import open_reading

    async with open_reading(flags) as people:
        return [build_person(row) for row in await people.eraser.list(limit=limit)]
