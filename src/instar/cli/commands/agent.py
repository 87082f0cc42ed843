"""`instar agent`: one message to an agent, one turn, its answer (CLI-16)."""

from __future__ import annotations

import asyncio
import gc
import sys

import click

from instar.cli.commands.chat import find_key, tell_end
from instar.cli.connect import address_finder
from instar.cli.conversation import Conversation
from instar.cli.options import GatewayFlags, gateway_options, json_option
from instar.cli.screen import Screen
from instar.cli.terminal import shows_colour
from instar.client.client import GatewayClient
from instar.errors import InvalidRequest
from instar.system.ids import SystemIds

__all__ = ["command"]


@click.command("agent")
@click.option("--message", "-m", required=True, metavar="TEXT", help="The message; “-” reads standard input.")
@click.option("--session-id", metavar="SESSION", help="In this session; a key, a label or an id.")
@click.option("--to", metavar="SESSION", help="The same, for who thinks of it as an address.")
@click.option("--agent", metavar="ID", help="In the main session of this agent.")
@click.option("--thinking", metavar="LEVEL", help="How hard the model thinks.")
@json_option
@gateway_options
def command(
    *,
    flags: GatewayFlags,
    message: str,
    session_id: str | None,
    to: str | None,
    agent: str | None,
    thinking: str | None,
    as_json: bool,
) -> int:
    """Send one message, wait for the turn, print the answer. 1 when the turn failed."""
    named = [one for one in (session_id, to, agent) if one]
    if len(named) > 1:
        raise click.UsageError("Only one of --session-id, --to and --agent can be said.")
    text = sys.stdin.read() if message == "-" else message
    if not text.strip():
        raise InvalidRequest("There is no message", why="it is empty", fix="Say --message TEXT.")
    gc.enable()
    ids = SystemIds()

    async def talk() -> int:
        find = address_finder(flags)
        async with GatewayClient(find, client_id="cli", mode="cli", timeout_s=flags.timeout_s, ids=ids) as client:
            key = await find_key(client, session_id or to, agent)
            screen = Screen(sys.stderr if as_json else sys.stdout, sys.stderr, colour=shows_colour())
            conversation = Conversation(client, key, screen=screen, ids=ids, thinking=thinking)
            return tell_end(await conversation.send(text), key=key, as_json=as_json)

    return asyncio.run(talk())
