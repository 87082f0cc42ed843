"""`instar config set`: one setting, and nothing else of the file (CLI-18, WHY-5)."""

from __future__ import annotations

import math
from pathlib import Path

import click

from instar.cli.config_file import change_config
from instar.cli.options import config_option, json_option
from instar.cli.terminal import print_json, say
from instar.config.edit import write_setting

__all__ = ["command", "parse_value"]


# A negative number looks like an option; options that nobody knows are taken for the value.
@click.command("set", context_settings={"ignore_unknown_options": True})
@click.argument("path")
@click.argument("value")
@click.option("--allow-unsafe", is_flag=True, help="Also what is never meant together with another setting.")
@json_option
@config_option
def command(*, path: str, value: str, allow_unsafe: bool, config: Path | None, as_json: bool) -> None:
    """Set one setting, for example `instar config set session.reset.atHour 5`.

    The value is read as JSON5, and as text where it is none. Comments and layout of the file stay. What could not be
    used is refused.
    """
    meant = parse_value(value)
    file = change_config(config, lambda text: write_setting(text, path, meant), allow_unsafe=allow_unsafe)
    if as_json:
        print_json({"ok": True, "path": path, "value": meant, "file": str(file)})
    else:
        say(f"{path} is set in {file}.")


def parse_value(text: str) -> object:
    """`text` as JSON5, or as it stands: ``5``, ``true``, ``{a: 1}``, ``per-channel-peer``."""
    import pyjson5

    try:
        value: object = pyjson5.decode(text)
    except pyjson5.Json5Exception:
        return text
    return text if isinstance(value, float) and not math.isfinite(value) else value
