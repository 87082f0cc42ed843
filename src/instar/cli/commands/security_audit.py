"""`instar security audit`: what is risky, and what to do about it (CLI-12, AUDIT-*)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import click

from instar.cli.connect import open_source
from instar.cli.options import GatewayFlags, gateway_options, json_option
from instar.cli.terminal import clean, paint, print_json, say, shows_colour
from instar.errors import InvalidRequest

__all__ = ["command"]

_COLOURS: Final = {"critical": "red", "warn": "yellow", "info": "dim"}


@click.command("audit")
@click.option("--deep", is_flag=True, help="Also read the whole store for people whose direct messages met.")
@click.option("--fix", is_flag=True, help="Take away what other users may do with files; nothing else is changed.")
@json_option
@gateway_options
def command(*, flags: GatewayFlags, deep: bool, fix: bool, as_json: bool) -> None:
    """Look over configuration, files and sessions for what is risky, with a remedy for each finding.

    Works with the gateway running and stopped. Nothing is changed without --fix. The exit code is 0 unless the audit
    itself fails.
    """
    fixed = _tighten(flags) if fix else []
    with open_source(flags) as source:
        found = dict(source.call("security.audit", {"deep": deep}))
    if as_json:
        print_json({**found, "fixed": fixed} if fix else found)
        return
    for one in fixed:
        say(f"{one['path']} has mode {one['mode']} now.")
    _show(found)


def _tighten(flags: GatewayFlags) -> list[dict[str, str]]:
    from instar.config.load import load_config
    from instar.stores.audit import list_files, tighten

    if flags.url is not None:
        raise InvalidRequest(
            "--fix is for files of this machine", fix="Run it where the gateway at --url runs, without --url."
        )
    loaded = load_config(flags.config, env=os.environ, home=Path.home(), thorough=False)
    files = list(list_files(loaded.config, loaded.path))
    return [{"path": path, "mode": mode} for path, mode in tighten(files)]


def _show(found: dict[str, Any]) -> None:  # Any: JSON
    colour = shows_colour()
    for one in found["findings"]:
        say(
            f"{paint(one['severity'], _COLOURS[one['severity']], on=colour)}  {clean(one['title'])}  ({one['checkId']})"
        )
        say(f"    {clean(one['detail'])}")
        for line in one.get("remediation", "").splitlines():
            say(f"    > {clean(line)}")
    counts = found["summary"]
    say(f"{counts['critical']} critical, {counts['warn']} to look at, {counts['info']} to know.")
    if hidden := found["suppressed"]["count"]:
        say(f"{hidden} suppressed by security.audit.suppressions.")
