"""`instar dashboard`: a link that signs a browser in, once (CLI-15, LEAK-9)."""

from __future__ import annotations

import sys

import click

from instar.cli.connect import open_gateway
from instar.cli.options import GatewayFlags, gateway_options, json_option
from instar.cli.terminal import print_json, say

__all__ = ["command"]


@click.command("dashboard")
@click.option("--no-open", is_flag=True, help="Only print the link.")
@json_option
@gateway_options
def command(*, flags: GatewayFlags, no_open: bool, as_json: bool) -> None:
    """Print a link that signs a browser in, and open it. The link works once, within a minute."""
    with open_gateway(flags) as gateway:
        link = gateway.call("dashboard.link")
        base = gateway.address.url.replace("ws", "http", 1).rstrip("/")
    url = f"{base}{link['path']}"
    if as_json:
        print_json({"url": url, "expiresInMs": link["expiresInMs"]})
        return
    say(url)
    say(f"It works once, within {link['expiresInMs'] // 1000} seconds.")
    if not no_open and sys.stdout.isatty():
        click.launch(url)
