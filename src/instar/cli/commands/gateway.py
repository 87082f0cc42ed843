"""`instar gateway`: the group; without a subcommand it runs one (CLI-13, CLI-14)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import click

from instar.cli.groups import LazyGroup

__all__ = ["GATEWAY_COMMANDS", "command"]

GATEWAY_COMMANDS: Final[Mapping[str, str]] = {
    "run": "instar.cli.commands.gateway_run",
    "call": "instar.cli.commands.gateway_call",
}
"""Each subcommand's module."""


@click.group("gateway", cls=LazyGroup, lazy=GATEWAY_COMMANDS, default="run")
def command() -> None:
    """Run the gateway, or call one of its methods; without a word more, run."""
