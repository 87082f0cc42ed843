"""Where text goes: standard output and standard error, with or without colour, in whatever encoding they have."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Final, TextIO

__all__ = ["clean", "paint", "prepare_streams", "print_json", "say", "shows_colour", "warn"]

_CODES: Final = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def prepare_streams() -> None:
    """Let no character that a terminal or pipe cannot show end a command: it is shown as a question mark.

    A stream that was closed before the start (``>&-``, some service managers) becomes the null device, which also keeps
    its number from being given to a file that is opened later.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123  lasts as the process does
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def say(text: str = "") -> None:
    """One piece of the command's answer, on standard output."""
    sys.stdout.write(f"{text}\n")


def warn(text: str) -> None:
    """What a person should know beside the answer, on standard error."""
    sys.stderr.write(f"{text}\n")


def print_json(document: object) -> None:
    """The one JSON document of a command with ``--json``."""
    plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    sys.stdout.write(json.dumps(document, ensure_ascii=plain, indent=2) + "\n")


def shows_colour(stream: TextIO | None = None, env: Mapping[str, str] | None = None) -> bool:
    """Whether standard output, or `stream`, is a terminal that takes colours, and its user wants them (NO_COLOR)."""
    known = os.environ if env is None else env
    return (stream or sys.stdout).isatty() and not known.get("NO_COLOR") and known.get("TERM") != "dumb"


def paint(text: str, *styles: str, on: bool) -> str:
    """`text` in the given styles; as it is when colour is off."""
    if not on or not text:
        return text
    codes = ";".join(_CODES[style] for style in styles)
    return f"\x1b[{codes}m{text}\x1b[0m"


def clean(text: str, *, lines: bool = False) -> str:
    """`text` without what a terminal would obey instead of show; `lines` keeps line breaks and tabs.

    Names and words come from platforms and models. An escape sequence in them could retitle the window or hide a
    line; marks that turn the direction of writing could make a key look like another.
    """
    kept = "\n\t" if lines else ""
    return "".join(char if char.isprintable() or char in kept else "�" for char in text)
