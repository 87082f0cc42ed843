"""`instar config validate`: all that is wrong with a configuration, with file, line and column (CFG-2, WHY-5)."""

from __future__ import annotations

import os
from pathlib import Path

import click

from instar.cli.config_file import read_config
from instar.cli.options import config_option, json_option
from instar.cli.terminal import print_json, say
from instar.config.finding import Finding
from instar.config.load import list_problems
from instar.errors import ConfigError

__all__ = ["command"]


@click.command("validate")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@json_option
@config_option
def command(*, file: Path | None, config: Path | None, as_json: bool) -> int:
    """Check a configuration. Exit code 1 when it cannot be used, or holds settings that are never meant together."""
    path, text = read_config(file or config)
    errors, findings = list_problems(text, file=str(path), env=os.environ, home=Path.home())
    is_good = not errors and not any(one.severity == "critical" for one in findings)
    if as_json:
        print_json(
            {
                "ok": is_good,
                "path": str(path),
                "exists": path.exists(),
                "errors": [_error(one) for one in errors],
                "findings": [_finding(one) for one in findings],
            }
        )
    else:
        for one in (*errors, *findings):
            say(str(one))
        if is_good:
            say(f"{path} is good." if path.exists() else f"There is no {path}; every setting has its default.")
    return 0 if is_good else 1


def _error(error: ConfigError) -> dict[str, object]:
    return {
        "severity": "error",
        "path": error.path,
        "what": error.what,
        "why": error.why,
        "fix": error.fix,
        "line": error.line,
        "column": error.column,
    }


def _finding(one: Finding) -> dict[str, object]:
    return {
        "severity": one.severity,
        "code": one.code,
        "path": one.path,
        "what": one.what,
        "why": one.why,
        "fix": one.fix,
        "line": one.line,
        "column": one.column,
    }
