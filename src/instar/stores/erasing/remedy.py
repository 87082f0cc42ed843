"""What the owner can do about what an erasure could not write over: a command to paste for each place (LEAK-11).

What belongs here: the sentence beside a place in a receipt. What does not: finding the places (`scan`). A receipt is
kept, so no sentence of it may say whom it was about; the commands for the configuration do, and are only told.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from instar.config.document import parse_document
from instar.errors import ConfigError
from instar.stores.erasing.files import EXPORTS, Places

__all__ = ["CONFIG_FIX", "build_config_fix", "build_fix"]

CONFIG_FIX: Final = "It is yours to edit: `instar config unset session.identityLinks.NAME`, and the allow-lists."

_PLAIN_STEP: Final = re.compile(r"[A-Za-z_$][\w$-]*")


def build_fix(path: Path, places: Places, *, is_named: bool, is_unreadable: bool) -> str:
    """What to do about a file. `is_named` says that its own name tells of the person, `is_unreadable` that it is
    packed, and damaged.
    """
    if is_named:
        return f"Its name says it too: look for it in {path.parent}, and delete or rename it."
    exported = _find_export(path, places)
    if exported is not None:
        return f"An export of somebody else names them, and is worthless when changed: `rm -r {_quoted(exported)}`."
    remove = f"`rm {_quoted(path)}`"
    if is_unreadable:
        return f"It cannot be unpacked, so nobody can say what of them is in it: {remove} deletes it."
    if path == places.database or path.name in {f"{places.database.name}-wal", f"{places.database.name}-shm"}:
        return "Another program held the database open: end that, and start the gateway again, which goes on."
    if path.name.lstrip(".").startswith(places.database.name):
        return f"What was kept aside of a database cannot be written over: {remove} deletes it."
    return f"It is no text that could be written over: {remove} deletes it, if nobody needs it."


def build_config_fix(file: Path, pattern: str) -> str:
    """The commands that take a person out of the configuration; the plain sentence where it cannot be read."""
    try:
        value = parse_document(file.read_text("utf-8"), file=str(file)).value
    except (ConfigError, OSError, UnicodeDecodeError):
        return CONFIG_FIX
    commands = [f"`instar config {one}`" for one in dict.fromkeys(_plan(value, re.compile(pattern), ""))]
    return f"It is yours to edit: {', '.join(commands)}." if commands else CONFIG_FIX


def _plan(value: object, found: re.Pattern[str], path: str) -> Iterator[str]:
    """What to set and unset, from the top of the file to its end."""
    if isinstance(value, dict):
        for name, inner in value.items():
            step = f"{path}{_step(str(name), is_first=not path)}"
            is_link = path == "session.identityLinks" and found.search(msgspec.json.encode(inner).decode())
            if found.search(str(name)) or is_link or (isinstance(inner, str) and found.search(inner)):
                yield f"unset {step}"
            else:
                yield from _plan(inner, found, step)
    elif isinstance(value, list):
        if any(isinstance(one, str) and found.search(one) for one in value):
            kept = [one for one in value if not (isinstance(one, str) and found.search(one))]
            yield f"set {path} {shlex.quote(msgspec.json.encode(kept).decode())}"
        else:
            for place, inner in enumerate(value):
                yield from _plan(inner, found, f"{path}[{place}]")


def _step(name: str, *, is_first: bool) -> str:
    if _PLAIN_STEP.fullmatch(name):
        return name if is_first else f".{name}"
    return f"[{msgspec.json.encode(name).decode()}]"


def _find_export(path: Path, places: Places) -> Path | None:
    """The folder of an export of a person that a file is part of, None for any other file."""
    exports = places.state_dir / EXPORTS
    if not path.is_relative_to(exports):
        return None
    folder = exports / path.relative_to(exports).parts[0]
    return folder if (folder / "manifest.json").is_file() else None


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
