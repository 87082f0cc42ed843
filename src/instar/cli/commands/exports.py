"""`instar export`: everything in open formats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import click

from instar.cli.groups import LazyGroup

__all__ = ["EXPORT_COMMANDS", "command"]

EXPORT_COMMANDS: Final[Mapping[str, str]] = {
    "all": "instar.cli.commands.export_all",
}
"""Each command's module."""


@click.group("export", cls=LazyGroup, lazy=EXPORT_COMMANDS)
def command() -> None:
    """Write everything in formats that other programs read."""
