"""`instar models`: the models that may be chosen (RPC-22, CFG-13)."""

from __future__ import annotations

import click

from instar.cli.connect import open_source
from instar.cli.options import GatewayFlags, gateway_options, json_option
from instar.cli.render import format_count, render_table
from instar.cli.terminal import clean, print_json, say, shows_colour
from instar.client.wire import Payload

__all__ = ["command"]


@click.command("models")
@json_option
@gateway_options
def command(*, flags: GatewayFlags, as_json: bool) -> None:
    """List the models that a person may choose, with their windows."""
    with open_source(flags) as source:
        found = source.call("models.list")
    if as_json:
        print_json(found)
        return
    rows = [_columns(one) for one in found["models"]]
    say(render_table(("Model", "Alias", "Window", "Thinks", "Reads"), rows, colour=shows_colour()))


def _columns(one: Payload) -> tuple[str, ...]:
    ref = f"{one.get('provider')}/{one.get('id')}"
    window = one.get("contextWindow")
    return (
        clean(ref),
        clean(str(one.get("alias") or "")),
        format_count(window) if window else "unknown",
        "yes" if one.get("reasoning") else "",
        clean(", ".join(map(str, one.get("input") or ()))),
    )
