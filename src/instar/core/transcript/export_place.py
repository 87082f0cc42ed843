"""Where `/export` writes: a file inside the agent's workspace, and nowhere else (CMD-31, LEAK-8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from instar.core.model.ids import Instant, SessionId
from instar.core.model.instant import format_iso

__all__ = ["ExportPlace", "choose_export_place"]

_FORMS: Final[Mapping[str, Literal["json", "jsonl", "markdown", "html"]]] = {
    "json": "json",
    "jsonl": "jsonl",
    "md": "markdown",
    "markdown": "markdown",
    "html": "html",
    "htm": "html",
}

_PATH_CHARS: Final = 200

_NOTES_FOLDER: Final = "memory"

_NOTES_FILE: Final = "memory.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportPlace:
    """A path below the workspace, with ``/`` between its parts, and the form that its ending asks for."""

    path: str
    form: Literal["json", "jsonl", "markdown", "html"]


def choose_export_place(
    given: str, *, session_id: SessionId, now: Instant, told_files: Iterable[str]
) -> ExportPlace | str:
    """The place that a person named, one below ``exports/`` for nobody's word, or why it cannot be written to.

    `told_files` are those of the workspace whose words the model is told in every session.
    """
    if not given:
        stamp = format_iso(now)[:19].replace(":", "-")
        return ExportPlace(path=f"exports/{session_id[:8]}-{stamp}.html", form="html")
    if len(given) > _PATH_CHARS or not given.isprintable() or "\\" in given:
        return "The path holds a character that no file name should, or is too long."
    parts = given.split("/")
    if given.startswith(("/", "~")) or any(part in {"", ".", ".."} for part in parts):
        return "The path must stay inside the workspace: no leading slash, no “..”, no empty part."
    if any(part.startswith(".") for part in parts):
        return "The path must not name a hidden file or folder."
    if _is_told(parts, told_files):
        return "The model is told what stands there, in other people's sessions as well. Write below exports/."
    _, dot, ending = parts[-1].rpartition(".")
    if not dot:
        return ExportPlace(path=f"{given}.html", form="html")
    form = _FORMS.get(ending.lower())
    if form is None:
        return f"“.{ending}” is no form of an export: write .html, .md, .json or .jsonl."
    return ExportPlace(path=given, form=form)


def _is_told(parts: Sequence[str], told_files: Iterable[str]) -> bool:
    """Whether a place is one whose words every session of the agent is told: its files, and its notes (LEAK-6).

    Names are compared as file systems may that tell no case apart.
    """
    first = parts[0].casefold()
    told = {_NOTES_FILE, *(name.casefold() for name in told_files)}
    return first == _NOTES_FOLDER or (len(parts) == 1 and first in told)
