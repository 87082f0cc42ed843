"""`instar sessions reset`: close a session's transcript and begin another (CLI-5, RPC-34)."""

from __future__ import annotations

import click

from instar.cli.connect import find_session, open_gateway
from instar.cli.options import GatewayFlags, gateway_options, json_option
from instar.cli.terminal import clean, print_json, say

__all__ = ["command"]


@click.command("reset")
@click.argument("session")
@json_option
@gateway_options
def command(*, flags: GatewayFlags, session: str, as_json: bool) -> None:
    """Start a session over. The transcript that is closed stays: `sessions show --history` lists it."""
    with open_gateway(flags) as gateway:
        key = find_session(gateway, session)
        before = (gateway.call("sessions.describe", {"key": key}).get("session") or {}).get("sessionId")
        done = gateway.call("sessions.reset", {"key": key, "reason": "reset"})
    if as_json:
        print_json(done)
        return
    say(f"{clean(key)} starts over as {done['entry']['sessionId']}.")
    if before:
        say(f"What was said before is kept as {before}.")
