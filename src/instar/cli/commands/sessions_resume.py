"""`instar sessions resume`: make a closed transcript current again (LOSS-6)."""

from __future__ import annotations

import click

from instar.cli.connect import find_session, open_gateway
from instar.cli.options import GatewayFlags, gateway_options, json_option
from instar.cli.terminal import clean, print_json, say

__all__ = ["command"]


@click.command("resume")
@click.argument("session")
@click.argument("transcript", required=False)
@json_option
@gateway_options
def command(*, flags: GatewayFlags, session: str, transcript: str | None, as_json: bool) -> None:
    """Go on with the TRANSCRIPT that was closed last, or the one whose id begins so. What is current is closed."""
    with open_gateway(flags) as gateway:
        key = find_session(gateway, session)
        done = gateway.call("sessions.resume", {"key": key, **({"sessionId": transcript} if transcript else {})})
    if as_json:
        print_json(done)
    else:
        say(f"{clean(key)} goes on as {done['sessionId']}.")
