"""`instar doctor`: what is wrong, and the safe step to take; it changes nothing."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from instar.cli.options import config_option, json_option
from instar.cli.terminal import clean, paint, print_json, say, shows_colour

if TYPE_CHECKING:
    from instar.stores.doctor import DoctorFinding

__all__ = ["command"]

_COLOURS = {"critical": "red", "warning": "yellow", "note": "dim"}


@click.command("doctor")
@json_option
@config_option
def command(*, as_json: bool, config: Path | None) -> int:
    """Look over configuration, database, mirror and disk, and say what to do. Nothing is changed.

    Exit code 1 when something critical was found.
    """
    findings = _examine(config)
    is_good = not any(one.severity == "critical" for one in findings)
    if as_json:
        print_json({"ok": is_good, "findings": [asdict(one) for one in findings]})
        return 0 if is_good else 1
    for one in findings:
        head = paint(one.severity, _COLOURS[one.severity], on=shows_colour())
        say(f"{head}  {clean(f'{one.what}: {one.why}' if one.why else one.what)}")
        if one.fix:
            say(f"    {clean(one.fix)}")
    if not findings:
        say("Everything is in order.")
    return 0 if is_good else 1


def _examine(config: Path | None) -> list[DoctorFinding]:
    from instar.config.load import load_config
    from instar.core.policy.redaction import build_redactor
    from instar.errors import ConfigError
    from instar.stores.doctor import DoctorFinding, examine

    try:
        loaded = load_config(config, env=os.environ, home=Path.home())
    except ConfigError as error:
        return [
            DoctorFinding(
                code="config",
                severity="critical",
                what=build_redactor().text(str(error)),
                fix="Mend it, then run this again; `instar config validate` lists all that is wrong with it.",
            )
        ]
    noted = [
        DoctorFinding(code=one.code, severity=one.severity, what=f"{one.path}: {one.what}", why=one.why, fix=one.fix)
        for one in loaded.warnings
    ]
    return [*examine(loaded.config), *noted]
