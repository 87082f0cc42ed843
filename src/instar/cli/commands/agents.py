"""`instar agents`: the configured agents (RPC-22, CFG-10)."""

from __future__ import annotations

import click

from instar.cli.connect import open_source
from instar.cli.options import GatewayFlags, gateway_options, json_option
from instar.cli.render import render_table
from instar.cli.terminal import clean, print_json, say, shows_colour
from instar.client.wire import Payload

__all__ = ["command"]


@click.command("agents")
@json_option
@gateway_options
def command(*, flags: GatewayFlags, as_json: bool) -> None:
    """List the agents; the default one answers where no binding names another."""
    with open_source(flags) as source:
        found = source.call("agents.list")
    if as_json:
        print_json(found)
        return
    rows = [_columns(one, str(found["defaultId"])) for one in found["agents"]]
    say(render_table(("Agent", "Name", "Model", "Workspace"), rows, colour=shows_colour()))


def _columns(one: Payload, default_id: str) -> tuple[str, ...]:
    model = one.get("model")
    primary = model.get("primary") if isinstance(model, dict) else model
    mark = " (default)" if one["id"] == default_id else ""
    return (
        f"{clean(str(one['id']))}{mark}",
        clean(str(one.get("name") or "")),
        clean(str(primary or "")),
        clean(str(one.get("workspace") or "")),
    )
