"""`instar config`: look at the configuration, check it, change one setting of it (CLI-18)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import click

from instar.cli.groups import LazyGroup

__all__ = ["CONFIG_COMMANDS", "command"]

CONFIG_COMMANDS: Final[Mapping[str, str]] = {
    "validate": "instar.cli.commands.config_validate",
    "get": "instar.cli.commands.config_get",
    "set": "instar.cli.commands.config_set",
    "unset": "instar.cli.commands.config_unset",
}
"""Each subcommand's module."""


@click.group("config", cls=LazyGroup, lazy=CONFIG_COMMANDS)
def command() -> None:
    """Check, read and change the configuration."""
