"""`instar sessions steer`: put a message into the turn that runs (RPC-14, QUEUE-3)."""

from __future__ import annotations

import click

from instar.cli.connect import find_session, open_gateway
from instar.cli.options import GatewayFlags, gateway_options, json_option
from instar.cli.terminal import clean, print_json, say
from instar.system.ids import SystemIds

__all__ = ["command"]


@click.command("steer")
@click.argument("session")
@click.argument("message")
@json_option
@gateway_options
def command(*, flags: GatewayFlags, session: str, message: str, as_json: bool) -> None:
    """Put MESSAGE into the running turn of a session at its next step, or begin a turn with it."""
    with open_gateway(flags) as gateway:
        key = find_session(gateway, session)
        params = {"key": key, "message": message, "idempotencyKey": SystemIds().turn_id()}
        done = gateway.call("sessions.steer", params)
    if as_json:
        print_json({"key": key, **done})
    else:
        say(f"{clean(key)} has it (run {done['runId']}); `instar sessions tail --session-key {clean(key)}` follows.")
