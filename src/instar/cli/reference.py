"""The reference page of the command line, built from its commands: ``python -m instar.cli.reference`` prints it.

`tests/docs` compares `docs/reference/cli.md` with it, so the page cannot say anything else than ``--help``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import click

from instar.cli.main import cli

__all__ = ["build_reference", "walk"]

_INTRO = """# The command line

This page is built from the commands themselves (`python -m instar.cli.reference`); `--help` of each says the same.
`instar gateway` alone means `instar gateway run`, `instar sessions` alone means `instar sessions list`.

Exit codes: 0 success, 1 failure or a value that makes no sense, 2 a command line that cannot be read. With `--json`
exactly one JSON document is printed on standard output, errors included: `{ok: false, error, code}`.

A command that asks the gateway finds it by `--url` and `--token` or `--password`, else by the configuration
(`gateway.port`, `gateway.auth`), else by `gateway.json` in the state directory, which a running gateway writes. Where
that directory holds a database, a gateway of another directory is not asked unless `--url`, `--token` or `--password`
names it, so that nobody takes a restored copy for the original. Where no gateway answers, commands that only look read
the database and say so, and `people` and `tokens` open it; the others say how to start one.

The state directory is `~/.instar`, or what `INSTAR_STATE_DIR` names. A session is named by its key (`main` is short
for the main session), its label, or its session id or the first eight characters of it.
"""

_WRITTEN_DEFAULT = re.compile(r"  \[default: ([^]]+)\]")
_SHARED = ("url", "token", "password", "timeout", "config")
_GATEWAY = "plus the options that find the gateway: `--url`, `--token`, `--password`, `--timeout`, `--config`"


def build_reference() -> str:
    """The whole page in Markdown."""
    return "".join([_INTRO, *(_section(path, command) for path, command in walk(cli, ("instar",)))])


def walk(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that can be called, with the words that call it, in the order of the help."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        if inner is not None:
            yield from walk(inner, (*path, name))


def _section(path: tuple[str, ...], command: click.Command) -> str:
    """One command: its usage, its help, its options."""
    arguments = [_argument(one) for one in command.params if isinstance(one, click.Argument)]
    options = [one for one in command.params if isinstance(one, click.Option)]
    asks_gateway = {name for one in options if (name := one.name)} >= set(_SHARED)
    shown = [one for one in options if not (asks_gateway and one.name in _SHARED)]
    lines = [f"\n## `{' '.join([*path, *arguments])}`\n\n{_help(command)}\n"]
    rows = [_option(one) for one in shown] + ([f"- {_GATEWAY}\n"] if asks_gateway else [])
    return "".join([*lines, *(["\n", *rows] if rows else [])])


def _help(command: click.Command) -> str:
    paragraphs = (command.help or "").strip().split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _argument(argument: click.Argument) -> str:
    return argument.make_metavar(click.Context(click.Command("any")))


def _option(option: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in option.opts)
    value = "" if option.is_flag else f" `{option.metavar or _choices(option)}`"
    default = f" Default: `{option.default}`." if option.show_default and option.default is not None else ""
    words = _WRITTEN_DEFAULT.sub(r" Default: `\1`.", option.help or "")
    return f"- {names}{value}: {words}{default}\n"


def _choices(option: click.Option) -> str:
    kind = option.type
    return "|".join(map(str, kind.choices)) if isinstance(kind, click.Choice) else kind.name.upper().split(" ")[0]


if __name__ == "__main__":
    sys.stdout.write(build_reference())
