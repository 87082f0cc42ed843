"""`instar people`: the group (LEAK-11)."""

from __future__ import annotations

import click

from instar.cli.groups import LazyGroup

__all__ = ["command"]


@click.group(
    "people",
    cls=LazyGroup,
    lazy={
        "list": "instar.cli.commands.people_list",
        "export": "instar.cli.commands.people_export",
        "erase": "instar.cli.commands.people_erase",
    },
    default="list",
)
def command() -> None:
    """Who is known here: list them, export what is held about one, erase one from everything."""
