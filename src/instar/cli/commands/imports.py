"""`instar import`: bring sessions of other programs along (STORE-6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import click

from instar.cli.groups import LazyGroup

__all__ = ["IMPORT_COMMANDS", "command"]

IMPORT_COMMANDS: Final[Mapping[str, str]] = {
    "transcript": "instar.cli.commands.import_transcript",
    "openclaw": "instar.cli.commands.import_openclaw",
    "export": "instar.cli.commands.import_export",
}
"""Each source's module."""


@click.group("import", cls=LazyGroup, lazy=IMPORT_COMMANDS)
def command() -> None:
    """Bring sessions of another program, or of an export, along."""
