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
    """Print a setting, for example `instar config get session.dmScope`; without a path all of them.

    Secrets are left out of whatever holds more than one setting; a single one is printed as it stands.
    """
    from instar.config.secrets import find_marked

    file, text = read_config(config)
    whole: object = parse_document(text, file=str(file)).value
    value = whole if path is None else read_setting(whole, path)
    if value is None:
        raise NotFound(f"{path} is not set in {file}", fix="docs/reference/configuration.md tells every default.")
    if isinstance(value, dict | list):
        value = build_redactor(find_marked(whole)).value(value)
    if as_json or isinstance(value, dict | list):
        print_json(value)
    else:
        say(value if isinstance(value, str) else json.dumps(value))
