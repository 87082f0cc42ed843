"""What files are called that keep a transcript for later (MAINT-20).

``ab.jsonl`` becomes ``ab.jsonl.deleted.2026-03-10T12-00-00.000Z``; where that is taken, ``ab.jsonl-1.deleted.…``. A
verified copy of the rows has ``.zst`` at the end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, cast

from instar.core.model.ids import Instant
from instar.core.model.instant import format_iso, parse_iso

__all__ = ["ArchiveName", "ArchiveReason", "format_archive_name", "format_file_time", "parse_archive_name"]

ArchiveReason = Literal["reset", "deleted", "bak"]
"""Why a file is kept: its life ended, its session was deleted, it was there before a rewrite."""

_NAME: Final = re.compile(
    r"(?P<file>.+?\.jsonl)(?:-(?P<clash>[1-9]\d*))?\.(?P<reason>reset|deleted|bak)"
    r"\.(?P<time>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z)(?P<zst>\.zst)?",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveName:
    """What the name of an archive says. `clash` is 0 for the first of its name."""

    file_name: str
    reason: ArchiveReason
    at: Instant
    clash: int = 0
    is_compressed: bool = False


def format_file_time(at: Instant) -> str:
    """An instant as it stands in file names: ISO with milliseconds, without colons."""
    return format_iso(at).replace(":", "-")


def format_archive_name(name: ArchiveName) -> str:
    """The name of the file."""
    clash = f"-{name.clash}" if name.clash else ""
    end = ".zst" if name.is_compressed else ""
    return f"{name.file_name}{clash}.{name.reason}.{format_file_time(name.at)}{end}"


def parse_archive_name(text: str) -> ArchiveName | None:
    """What a file name says, None if it is no archive's."""
    found = _NAME.fullmatch(text)
    if found is None:
        return None
    day, _, clock = found["time"].partition("T")
    at = parse_iso(f"{day}T{clock.replace('-', ':')}")
    if at is None:
        return None
    return ArchiveName(
        file_name=found["file"],
        reason=cast("ArchiveReason", found["reason"]),  # the pattern lets no other word through
        at=at,
        clash=int(found["clash"] or 0),
        is_compressed=found["zst"] is not None,
    )
