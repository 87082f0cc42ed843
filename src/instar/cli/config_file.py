"""The configuration file as the command line reads and writes it: found, changed as a text, checked, then replaced."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from instar.cli.terminal import warn
from instar.config.load import Loaded, parse_text, read_config_file, refuse_unsafe
from instar.config.paths import find_config_file
from instar.system.files import make_private_folder, replace_file

__all__ = ["change_config", "read_config"]


def read_config(named: Path | None) -> tuple[Path, str]:
    """The file and its text; an empty object where there is no file yet. Raises ConfigError."""
    path, _ = find_config_file(named, os.environ, home=Path.home())
    _, text = read_config_file(named, env=os.environ, home=Path.home())
    return path, text


def change_config(named: Path | None, change: Callable[[str], str], *, allow_unsafe: bool) -> Path:
    """Change the file by a function over its text, unless the outcome could not be used (WHY-5); the file's path.

    Raises ConfigError, and then the file is as it was. What is noticed about the outcome is told.
    """
    path, text = read_config(named)
    changed = change(text)
    loaded: Loaded = parse_text(changed, file=str(path), env=os.environ, home=Path.home())
    refuse_unsafe(loaded, allow_unsafe=allow_unsafe)
    if changed != text or not path.exists():
        make_private_folder(path.parent)
        replace_file(path, [changed.encode()])
    for finding in loaded.warnings:
        warn(str(finding))
    return path
