"""`instar gateway call METHOD`: one request to the gateway, its payload as JSON (CLI-14)."""

from __future__ import annotations

import json

import click

from instar.cli.connect import open_gateway
from instar.cli.options import GatewayFlags, gateway_options
from instar.cli.terminal import print_json
from instar.errors import InvalidRequest

__all__ = ["command", "parse_params"]


@click.command("call")
@click.argument("method")
@click.option("--params", default="{}", metavar="JSON", help="What the method takes, as a JSON object.")
@click.option("--json", "as_json", is_flag=True, help="Errors as JSON too; the answer always is.")
@gateway_options
def command(*, flags: GatewayFlags, method: str, params: str, as_json: bool) -> None:
    """Call a method of the gateway and print its answer; docs/reference/protocol.md lists them."""
    del as_json  # read where errors are told
    given = parse_params(params)
    with open_gateway(flags) as gateway:
        print_json(gateway.call(method, given))


def parse_params(text: str) -> dict[str, object]:
    """The object in `text`. Raises `InvalidRequest` for anything else."""
    try:
        given = json.loads(text or "{}")
    except ValueError as error:
        raise InvalidRequest("--params is no JSON", why=str(error), fix="""Write it like '{"limit": 5}'.""") from None
    if not isinstance(given, dict):
        raise InvalidRequest("--params is no JSON object", fix="""Write it like '{"limit": 5}'.""")
    return given
