"""`instar config get`: a setting as it stands in the file, or the whole of it without secrets (CLI-18)."""

from __future__ import annotations

import json
from pathlib import Path

import click

from instar.cli.config_file import read_config
from instar.cli.options import config_option, json_option
from instar.cli.terminal import print_json, say
from instar.config.document import parse_document
from instar.config.edit import read_setting
from instar.core.policy.redaction import build_redactor
from instar.errors import NotFound

__all__ = ["command"]


@click.command("get")
@click.argument("path", required=False)
@json_option
@config_option
def command(*, path: str | None, config: Path | None, as_json: bool) -> None:
    """Print a setting, for example `instar config get session.dmScope`; without a path all of them, but no secret."""
    file, text = read_config(config)
    value: object = parse_document(text, file=str(file)).value
    if path is None:
        value = build_redactor().value(value)
    else:
        value = read_setting(value, path)
        if value is None:
            raise NotFound(f"{path} is not set in {file}", fix="docs/reference/configuration.md tells every default.")
    if as_json or isinstance(value, dict | list):
        print_json(value)
    else:
        say(value if isinstance(value, str) else json.dumps(value))
