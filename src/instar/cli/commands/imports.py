"""`instar import`: bring in what other programs have kept (STORE-6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import click

from instar.cli.groups import LazyGroup

__all__ = ["IMPORT_COMMANDS", "command"]

IMPORT_COMMANDS: Final[Mapping[str, str]] = {
    "transcript": "instar.cli.commands.import_transcript",
}
"""Each subcommand's module."""


@click.group("import", cls=LazyGroup, lazy=IMPORT_COMMANDS)
def command() -> None:
    """Bring in transcripts of other programs. Nothing in the source is changed."""
