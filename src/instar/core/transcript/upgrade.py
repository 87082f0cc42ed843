"""Transcript files of other versions become version 3, line by line (TRANS-14, COMPAT-6).

* Version 1 is a flat list: no `id`, no `parentId`; a compaction names what it kept by the place in the file
  (`firstKeptEntryIndex`, counted over all lines, the header being 0).
* Version 2 has the tree, but calls plug-in messages `hookMessage`.
* Version 3 is today's.
* Version 4 is that of later OpenClaw builds: the lines of version 3, a session that starts over within its file
  (`reset`), and a leaf that was moved without anything being written there (`leaf`).

Each step is a pure function over the file's objects in order; the objects given are never changed. Steps leave lines
that are current already as they are, so that upgrading twice changes nothing. Ids for version 1 are derived from the
session id and the line's place: reading a file again gives the same ids, and importing it twice adds nothing.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from instar.core.model.entry import TRANSCRIPT_VERSION
from instar.core.model.ids import EntryId
from instar.core.transcript.codec import HEADER_TYPE
from instar.errors import TranscriptError

__all__ = [
    "Upgraded",
    "bring_v4_to_v3",
    "derive_entry_id",
    "detect_version",
    "upgrade_lines",
    "upgrade_v1_to_v2",
    "upgrade_v2_to_v3",
]

_Line = Mapping[str, object]

_NEWEST_READ: Final = 4
_LEAF_TYPE: Final = "openclaw:leaf"
_RESET_DETAIL: Final = "openclawReset"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgraded:
    """The lines in version 3, in their order and number, and the version they had."""

    lines: tuple[_Line, ...]
    from_version: int


def upgrade_lines(lines: Sequence[_Line]) -> Upgraded:
    """The lines of a file, header included, in version 3.

    Raises `TranscriptError` for a file of a later version: guessing at it could lose what it says.
    """
    version = detect_version(lines)
    if version > _NEWEST_READ:
        raise TranscriptError(
            f"This transcript has version {version}",
            why=f"this build reads versions 1 to {_NEWEST_READ}",
            fix="Upgrade Instar, or export the session from the program that wrote it in an older format.",
        )
    upgraded = tuple(lines)
    if version < 2:
        upgraded = upgrade_v1_to_v2(upgraded)
    if version < 3:
        upgraded = upgrade_v2_to_v3(upgraded)
    if version > TRANSCRIPT_VERSION:
        upgraded = bring_v4_to_v3(upgraded)
    return Upgraded(lines=upgraded, from_version=version)


def detect_version(lines: Sequence[_Line]) -> int:
    """The version a file says it has. A header without one is version 1.

    Without a header, lines with ids are taken as current and lines without as version 1.
    """
    for line in lines:
        if line.get("type") == HEADER_TYPE:
            version = line.get("version")
            return version if type(version) is int and version > 0 else 1
    return TRANSCRIPT_VERSION if any(type(line.get("id")) is str for line in lines) else 1


def upgrade_v1_to_v2(lines: Sequence[_Line]) -> tuple[_Line, ...]:
    """Give each line an id and hang it on the line before; turn kept places into kept ids."""
    seed = _session_id(lines)
    taken = {line_id for line in lines if type(line_id := line.get("id")) is str}
    upgraded: list[_Line] = []
    parent: object = None
    for index, line in enumerate(lines):
        if line.get("type") == HEADER_TYPE:
            upgraded.append(_with_version(line, 2))
            continue
        line_id = line.get("id")
        if type(line_id) is not str:
            line_id = derive_entry_id(f"{seed}/{index}", taken)
            taken.add(line_id)
        upgraded.append(_linked(line, line_id, line.get("parentId", parent)))
        parent = line_id
    return tuple(_with_kept_id(line, upgraded) for line in upgraded)


def _session_id(lines: Sequence[_Line]) -> str:
    return next((str(line.get("id")) for line in lines if line.get("type") == HEADER_TYPE), "")


def _with_version(header: _Line, version: int) -> _Line:
    return {"type": HEADER_TYPE, "version": version, **_without(header, "type", "version")}


def _linked(line: _Line, line_id: str, parent_id: object) -> _Line:
    kind = {"type": line["type"]} if "type" in line else {}
    return {**kind, "id": line_id, "parentId": parent_id, **_without(line, "type", "id", "parentId")}


def _without(line: _Line, *names: str) -> dict[str, object]:
    return {name: value for name, value in line.items() if name not in names}


def _with_kept_id(line: _Line, lines: Sequence[_Line]) -> _Line:
    """A compaction that names the first kept entry by id.

    A place at or before the header means the first entry; one that is in no line keeps nothing, said by the
    compaction's own id.
    """
    place = line.get("firstKeptEntryIndex")
    if line.get("type") != "compaction" or type(place) is not int:
        return line
    kept = next((other["id"] for other in lines[max(place, 0) :] if other.get("type") != HEADER_TYPE), line["id"])
    named = {"firstKeptEntryId": kept} if "firstKeptEntryId" not in line else {}
    return _without(line, "firstKeptEntryIndex") | named


def derive_entry_id(seed: str, taken: Container[str]) -> EntryId:
    """Eight hexadecimal characters that depend on `seed` alone, unless they are `taken` (TRANS-3)."""
    attempt = 0
    while (entry_id := sha256(f"{seed}/{attempt}".encode()).hexdigest()[:8]) in taken:
        attempt += 1
    return EntryId(entry_id)


def upgrade_v2_to_v3(lines: Sequence[_Line]) -> tuple[_Line, ...]:
    """Call plug-in messages by today's role."""
    return tuple(_with_custom_role(line) for line in lines)


def _with_custom_role(line: _Line) -> _Line:
    if line.get("type") == HEADER_TYPE:
        return _with_version(line, 3)
    message = line.get("message")
    if line.get("type") == "message" and isinstance(message, dict) and message.get("role") == "hookMessage":
        return {**line, "message": {**message, "role": "custom"}}
    return line


def bring_v4_to_v3(lines: Sequence[_Line]) -> tuple[_Line, ...]:
    """Say in the words of version 3 what later builds say, so that the same lines are in force.

    A reset within the file becomes a compaction that keeps nothing from before it, or what the reset kept: all is there
    to read, and a model sees what came afterwards. A moved leaf becomes a line that no model sees, at the place the
    leaf was moved to.
    """
    return tuple(_in_words_of_v3(line) for line in lines)


def _in_words_of_v3(line: _Line) -> _Line:
    match line.get("type"):
        case "session":
            return _with_version(line, TRANSCRIPT_VERSION)
        case "reset":
            reason = str(line.get("reason", "reset"))
            return {
                "type": "compaction",
                **_without(line, "type", "reason", "firstKeptEntryId"),
                "summary": f"The conversation was started over here ({reason}).",
                "firstKeptEntryId": line.get("firstKeptEntryId", line.get("id")),
                "tokensBefore": 0,
                "details": {_RESET_DETAIL: reason},
            }
        case "leaf":
            return {
                "type": "custom",
                **_without(line, "type", "parentId", "targetId"),
                "parentId": line.get("targetId"),
                "customType": _LEAF_TYPE,
                "data": {"from": line.get("parentId")},
            }
        case _:
            return line
