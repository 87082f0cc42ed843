"""`instar sessions`: the group; without a subcommand it lists (CLI-1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import click

from instar.cli.groups import LazyGroup

__all__ = ["SESSION_COMMANDS", "command"]

SESSION_COMMANDS: Final[Mapping[str, str]] = {
    "list": "instar.cli.commands.sessions_list",
    "show": "instar.cli.commands.sessions_show",
    "export": "instar.cli.commands.sessions_export",
    "reset": "instar.cli.commands.sessions_reset",
    "delete": "instar.cli.commands.sessions_delete",
    "restore": "instar.cli.commands.sessions_restore",
}
"""Each subcommand's module."""


@click.group("sessions", cls=LazyGroup, lazy=SESSION_COMMANDS, default="list")
def command() -> None:
    """List, show, export, reset, delete and restore sessions; without a word more, list."""
