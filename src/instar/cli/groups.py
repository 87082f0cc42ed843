"""Groups of commands that are imported when they are called, so that no command pays for another."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

__all__ = ["LazyGroup"]


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for.

    `lazy` names each command's module; the click command in it is called `command`. `default` is the command that is
    meant when none is named: ``instar sessions --json`` lists.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, str], default: str = "", **more: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(*args, **more)
        self._lazy = lazy
        self._default = default

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - part of click's interface
        """Every command, in the order in which a newcomer needs them."""
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the same
        """The command of a name, None if there is none."""
        module = self._lazy.get(cmd_name)
        if module is None:
            return None
        found: click.Command = import_module(module).command
        return found

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default in front of options that stand alone."""
        is_help = bool(args) and args[0] in ctx.help_option_names
        if self._default and not is_help and (not args or args[0].startswith("-")):
            args = [self._default, *args]
        return super().parse_args(ctx, args)
