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
    "resume": "instar.cli.commands.sessions_resume",
    "search": "instar.cli.commands.sessions_search",
    "tail": "instar.cli.commands.sessions_tail",
    "patch": "instar.cli.commands.sessions_patch",
    "compact": "instar.cli.commands.sessions_compact",
    "steer": "instar.cli.commands.sessions_steer",
    "archive": "instar.cli.commands.sessions_archive",
    "cleanup": "instar.cli.commands.sessions_cleanup",
    "usage": "instar.cli.commands.sessions_usage",
}
"""Each subcommand's module."""


@click.group("sessions", cls=LazyGroup, lazy=SESSION_COMMANDS, default="list")
def command() -> None:
    """Look at sessions and look after them; without a word more, list them."""
