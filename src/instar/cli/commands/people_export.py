"""`instar people export`: everything that is held about one person, in open formats (LEAK-11)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from instar.cli.connect import open_gateway
from instar.cli.options import GatewayFlags, gateway_options, json_option
from instar.cli.terminal import clean, print_json, say

__all__ = ["command"]


@click.command("export")
@click.argument("who", metavar="ID")
@click.option(
    "--output", type=click.Path(path_type=Path), help="A new or empty directory.  [default: a new one in STATE/exports]"
)
@json_option
@gateway_options
def command(*, flags: GatewayFlags, who: str, output: Path | None, as_json: bool) -> None:
    """Write everything that is held about ID (any linked id) into a directory, while a gateway runs or not.

    With --url the gateway at that address writes it, on its own machine.
    """
    if flags.url is not None:
        params = {"id": who} | ({"name": output.name} if output is not None else {})
        with open_gateway(flags) as gateway:
            done: dict[str, object] = dict(gateway.call("people.export", params))
    else:
        done = asyncio.run(_write(flags, who, None if output is None else output.absolute()))
    if as_json:
        print_json(done)
        return
    counts = done["counts"]
    for name, count in counts.items() if isinstance(counts, dict) else ():
        say(f"{count:8}  {name}")
    say(f"Exported to {clean(str(done['path']))}. What others wrote is not in it.")


async def _write(flags: GatewayFlags, who: str, output: Path | None) -> dict[str, object]:
    from instar.cli.people_offline import open_reading
    from instar.system.clock import SystemClock

    now = SystemClock().now()
    async with open_reading(flags) as people:
        person = people.name(who)
        if output is None:
            done = await people.eraser.export(person, name=None, now=now)
        else:
            done = await people.eraser.export_to(person, output, now=now)
        return {"path": done.path, "counts": dict(done.counts)}
