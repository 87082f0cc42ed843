"""`instar config unset`: a setting has its default again (CLI-18)."""

from __future__ import annotations

from pathlib import Path

import click

from instar.cli.config_file import change_config
from instar.cli.options import config_option, json_option
from instar.cli.terminal import print_json, say
from instar.config.edit import remove_setting

__all__ = ["command"]


@click.command("unset")
@click.argument("path")
@click.option("--allow-unsafe", is_flag=True, help="Also where what is left is never meant together.")
@json_option
@config_option
def command(*, path: str, allow_unsafe: bool, config: Path | None, as_json: bool) -> None:
    """Take one setting out of the file; unsetting what is not set changes nothing."""
    file = change_config(config, lambda text: remove_setting(text, path), allow_unsafe=allow_unsafe)
    if as_json:
        print_json({"ok": True, "path": path, "file": str(file)})
    else:
        say(f"{path} has its default again.")
