"""Groups of commands: each told in a whole sentence, and imported when it is called, so that none pays for another."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Final

import click

__all__ = ["Group", "LazyGroup"]

_UNCUT: Final = 1_000
"""More than the first sentence of any command has: click cuts it to the width of the line, which tells half of it."""


class Group(click.Group):
    """A group whose help tells the first sentence of each command, whole, and which finds what was mistyped."""

    def summarize(self, ctx: click.Context, name: str) -> str:
        """What a command does, in one sentence."""
        command = self.get_command(ctx, name)
        return "" if command is None else command.get_short_help_str(_UNCUT)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.summarize(ctx, name)) for name in self.list_commands(ctx)])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; a word that is none is answered with the one that comes close to it."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            close = get_close_matches(name, self.list_commands(ctx), n=1)
            ctx.fail(f"No such command {name!r}.{f' Did you mean {close[0]!r}?' if close else ''}")
        return super().resolve_command(ctx, args)


class LazyGroup(Group):
    """A group whose commands are imported when they are asked for.

    `lazy` names each command's module; the click command in it is called `command`. `summaries` are their first
    sentences, for a group whose help must not import them all. `default` is the command that is meant when none is
    named: ``instar sessions --json`` lists.
    """

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - click's own
        lazy: Mapping[str, str],
        summaries: Mapping[str, str] | None = None,
        default: str = "",
        **more: Any,  # noqa: ANN401 - the same
    ) -> None:
        super().__init__(*args, **more)
        self._lazy = lazy
        self._summaries = summaries or {}
        self._default = default

    def summarize(self, ctx: click.Context, name: str) -> str:
        """What a command does, in one sentence."""
        return self._summaries.get(name) or super().summarize(ctx, name)

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
