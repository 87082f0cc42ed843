"""`instar mirror`: the group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import click

from instar.cli.groups import LazyGroup

__all__ = ["MIRROR_COMMANDS", "command"]

MIRROR_COMMANDS: Final[Mapping[str, str]] = {
    "rebuild": "instar.cli.commands.mirror_rebuild",
}
"""Each subcommand's module."""


@click.group("mirror", cls=LazyGroup, lazy=MIRROR_COMMANDS)
def command() -> None:
    """Look after the files in which other programs read sessions."""
