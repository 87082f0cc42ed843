"""Under which names the file of a transcript may lie, and which of them it should have (STORE-4, RESET-25, MAINT-20).

A file is called after its session id while that life goes on, and carries the time of its end afterwards. The mirror
remembers how it left each file; a process that dies between writing or renaming one and storing that leaves a file of
which nobody knows. If the life then ends or is taken up again, the file bears the other name. So before a file is
written anew it is looked for under every name that it may have had. What was found is compared as any other file is.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from instar.core.lifecycle.archive_name import parse_archive_name
from instar.core.model.ids import Instant

__all__ = ["NamePlan", "list_namesakes", "list_namesakes_of", "plan_names"]

T = TypeVar("T", bound=Hashable)

_SUFFIX = ".jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamePlan:
    """What is done to names: `taken` is renamed to the name that is wanted, `aside` is kept beside; None for neither.

    A file is kept beside when it bears the name of a current transcript and is not the file of one.
    """

    taken: Path | None = None
    aside: Path | None = None


def plan_names(path: Path, there: Collection[Path], *, current: Path) -> NamePlan:
    """What becomes of the files of one transcript whose file should be `path`; `current` is its name while it lives.

    `there` are its files that exist. Without a file of the right name that of the current one is the newest, then the
    one that was closed last. Files of earlier ends that are left over are archives, and stay.
    """
    others = [other for other in there if other != path]
    taken = None
    if path not in there:
        taken = current if current in others else max(others, key=_ended_at, default=None)
    aside = current if current in others and current != taken else None
    return NamePlan(taken=taken, aside=aside)


def list_namesakes(wanted: Mapping[Path, Mapping[str, T]]) -> dict[T, list[Path]]:
    """Every file of some transcripts, for those that have any. Blocking; raises OSError.

    `wanted` says for each folder whose file has which name while its life goes on. A folder is walked once, however
    many are wanted in it.
    """
    found: dict[T, list[Path]] = {}
    for folder, names in wanted.items():
        for name in _list_names(folder):
            current = _current_name(name)
            if current is not None and current in names:
                found.setdefault(names[current], []).append(folder / name)
    return found


def list_namesakes_of(path: Path) -> list[Path]:
    """Every file of the transcript that has one at `path`, or had. Blocking; raises OSError."""
    name = _current_name(path.name)
    return [] if name is None else list_namesakes({path.parent: {name: name}}).get(name, [])


def _list_names(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            yield from (entry.name for entry in entries if entry.is_file(follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return  # nothing lies there


def _current_name(name: str) -> str | None:
    if name.endswith(_SUFFIX):
        return name
    archive = parse_archive_name(name) if ".reset." in name else None
    return None if archive is None or archive.is_compressed else archive.file_name


def _ended_at(path: Path) -> tuple[Instant, int]:
    """When the life in a closed transcript's file ended; of one moment the last that was kept is the last."""
    archive = parse_archive_name(path.name)
    return (Instant(0), 0) if archive is None else (archive.at, archive.clash)
