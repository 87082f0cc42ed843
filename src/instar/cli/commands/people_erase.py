"""`instar people erase`: one person out of everything, with a receipt (LEAK-11)."""

from __future__ import annotations

import asyncio
from typing import Final

import click

from instar.cli.connect import open_gateway
from instar.cli.options import GatewayFlags, gateway_options, json_option
from instar.cli.render import format_moment
from instar.cli.terminal import clean, print_json, say, warn
from instar.client.wire import Payload
from instar.core.explain.counting import count_of
from instar.errors import GatewayUnreachable

__all__ = ["command"]

PATIENCE_MS: Final = 600_000
"""A large database takes minutes to be written anew; nobody should be told meanwhile that no gateway answers."""


@click.command("erase")
@click.argument("who", metavar="ID")
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@click.option("--yes", is_flag=True, help="Do it. There is no way back but a backup that is kept elsewhere.")
@click.option("--backups", is_flag=True, help="Delete the backups in the state directory that still hold them.")
@json_option
@gateway_options
@click.pass_context
def command(
    ctx: click.Context, *, flags: GatewayFlags, who: str, dry_run: bool, yes: bool, backups: bool, as_json: bool
) -> None:
    """Take ID (any linked id) out of every row and file, search for what is left, and print a receipt.

    Exits with 1 when something was left; the receipt says where.
    """
    if dry_run == yes:
        raise click.UsageError("Say --dry-run to see what would go, or --yes to do it.")
    patient = flags._replace(timeout_ms=max(flags.timeout_ms, PATIENCE_MS))
    params = {"id": who, "dryRun": dry_run, "dropBackups": backups}
    try:
        with open_gateway(patient) as gateway:
            receipt = gateway.call("people.erase", params)
    except GatewayUnreachable:
        if flags.url is not None:
            raise
        receipt = asyncio.run(_plan(flags, who) if dry_run else _erase(flags, who, drop_backups=backups))
    if as_json:
        print_json(dict(receipt))
    else:
        _tell(receipt)
    ctx.exit(0 if dry_run or not receipt["residue"] else 1)


async def _plan(flags: GatewayFlags, who: str) -> Payload:
    from instar.api.handlers.people import build_receipt
    from instar.cli.people_offline import open_reading
    from instar.system.clock import SystemClock

    async with open_reading(flags) as people:
        return build_receipt(await people.eraser.plan(people.name(who), now=SystemClock().now()))


async def _erase(flags: GatewayFlags, who: str, *, drop_backups: bool) -> Payload:
    from instar.api.handlers.people import build_receipt
    from instar.cli.people_offline import open_writing
    from instar.system.clock import SystemClock

    async with open_writing(flags) as people:
        receipt = await people.eraser.erase_all(
            people.name(who), now=SystemClock().now(), who="operator", drop_backups=drop_backups
        )
    return build_receipt(receipt)


def _tell(receipt: Payload) -> None:
    head = "This would go" if receipt["planned"] else f"Receipt {receipt['id']}, {format_moment(receipt['at'])}"
    say(f"{head}:")
    for name, count in receipt["counts"].items():
        say(f"{count:8}  {name.replace('_', ' ')}")
    words = count_of(receipt["searchedWords"], "name, id or word", "names, ids and words")
    searched = f"{words} in {count_of(receipt['searchedFiles'], 'file')}"
    if receipt["planned"]:
        say(f"They are found {count_of(receipt['residue'], 'time')} now ({searched}).")
    else:
        say(f"Residue {receipt['residue']}: searched for {searched}.")
        for one in receipt["left"]:
            warn(f"{one['count']:8}  in {clean(one['place'])}" + (f". {one['fix']}" if one["fix"] else ""))
    if receipt["commonWords"]:
        passed = count_of(receipt["commonWords"], "word was not searched for", "words were not searched for")
        say(f"{passed}, since others wrote the like too.")
    for name in receipt["droppedBackups"]:
        say(f"Backup deleted: {clean(name)}")
    for name in receipt["backups"]:
        warn(f"Backup that still holds them: {clean(name)}; --backups deletes it.")
