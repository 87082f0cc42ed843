"""`instar security`: the group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import click

from instar.cli.groups import LazyGroup

__all__ = ["SECURITY_COMMANDS", "command"]

SECURITY_COMMANDS: Final[Mapping[str, str]] = {
    "audit": "instar.cli.commands.security_audit",
}
"""Each subcommand's module."""


@click.group("security", cls=LazyGroup, lazy=SECURITY_COMMANDS)
def command() -> None:
    """Look for what is risky."""
