"""A transcript file as it lies on a disk → header, entries, and what was wrong with it (TRANS-1, STORE-6, LOSS-10).

Files come from other programs, other years and crashes: lines are torn, written twice, hang on lines that are gone.
Reading never raises over a line. What cannot be read is set aside and named with its line number; what can be read
is made whole enough to be stored: every entry has an id of its own and hangs on an earlier entry or on nothing.

Where a parent is missing the entry is hung on the entry before it. That is nearly always where it belongs (its
parent was the torn line between them), and the alternative, a second root, would hide all that came before from the
active branch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from instar.core.model.entry import AnyEntry, Header
from instar.core.model.ids import EntryId
from instar.core.transcript.codec import HEADER_TYPE, parse_entry, parse_header
from instar.core.transcript.upgrade import derive_entry_id, upgrade_lines

__all__ = ["Finding", "FindingKind", "TranscriptReading", "read_transcript"]

FindingKind = Literal[
    "blank",
    "unparsable",
    "torn",
    "not-an-object",
    "no-header",
    "second-header",
    "repeated-line",
    "repeated-id",
    "no-id",
    "no-parent-field",
    "missing-parent",
]
"""What was wrong: lines that hold nothing (no words are missing there), a line that is no JSON (`torn` when it is the
last), and the rest as the words say.
"""

_Line = Mapping[str, object]
_MARK = b"\xef\xbb\xbf"
"""A byte order mark, which some editors put at the start of a file."""

_SUFFIX: Final = ".jsonl"
_FOLDERS: Final = re.compile(r".*[/\\]")
_WRITTEN_AT: Final = re.compile(r"\d{4}-\d\d-\d\dT[\d.:-]+Z_")
"""The time with which some programs begin a file's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was wrong. `line` counts from 1, 0 is the file as a whole; `detail` is a sentence for people."""

    kind: FindingKind
    line: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptReading:
    """What a file holds. `header` is None when it has none; `from_version` is the version the file had."""

    header: Header | None
    entries: tuple[AnyEntry, ...]
    findings: tuple[Finding, ...]
    from_version: int


def read_transcript(lines: Iterable[bytes], decode: Callable[[bytes], object]) -> TranscriptReading:
    """Read the lines of a file, with or without their line ends.

    `decode` turns one line into a value and raises ValueError (any JSON decoder does) for what it cannot read.
    Raises `TranscriptError` only for a file of a later version.
    """
    findings: list[Finding] = []
    numbers, objects = _decode_lines(lines, decode, findings)
    upgraded = upgrade_lines(objects)
    header: Header | None = None
    linker = _Linker(findings=findings)
    for number, line in zip(numbers, upgraded.lines, strict=True):
        if line.get("type") != HEADER_TYPE:
            linker.add(number, line)
        elif header is None:
            header = _name_parent(parse_header(line))
        else:
            findings.append(Finding(kind="second-header", line=number, detail="A second header was left out."))
    if header is None:
        findings.append(Finding(kind="no-header", line=0, detail="No line says which session this is."))
    return TranscriptReading(
        header=header,
        entries=tuple(linker.entries),
        findings=tuple(sorted(findings, key=lambda finding: finding.line)),
        from_version=upgraded.from_version,
    )


def _name_parent(header: Header | None) -> Header | None:
    """The header with the id of the session it was forked from, where a program wrote the path of its file (TRANS-2).

    Of the path only the name is looked at: the file is on another machine, or has moved.
    """
    if header is None or header.parent_session is None or not header.parent_session.endswith(_SUFFIX):
        return header
    name = _FOLDERS.sub("", header.parent_session).removesuffix(_SUFFIX).partition("-topic-")[0]
    return replace(header, parent_session=_WRITTEN_AT.sub("", name) or None)


def _decode_lines(
    lines: Iterable[bytes], decode: Callable[[bytes], object], findings: list[Finding]
) -> tuple[list[int], list[_Line]]:
    """The objects of all readable lines with their line numbers. Blank lines are passed over; a run is one finding."""
    numbers: list[int] = []
    objects: list[_Line] = []
    bad: Finding | None = None
    blank: int | None = None
    number = 0
    for number, line in enumerate(lines, start=1):
        text = line.removeprefix(_MARK).strip()
        if not text:
            blank = blank or number
            continue
        _end_blanks(findings, blank, number - 1)
        blank = None
        if bad is not None:
            findings.append(bad)
            bad = None
        try:
            value = decode(text)
        except (ValueError, RecursionError) as error:
            bad = Finding(kind="unparsable", line=number, detail=f"This line is no JSON ({error}); it was left out.")
            continue
        if isinstance(value, dict):
            numbers.append(number)
            objects.append(value)
        else:
            detail = "This line is no JSON object; it was left out."
            findings.append(Finding(kind="not-an-object", line=number, detail=detail))
    _end_blanks(findings, blank, number)
    if bad is not None:
        findings.append(Finding(kind="torn", line=bad.line, detail=f"The last line is cut off. {bad.detail}"))
    return numbers, objects


def _end_blanks(findings: list[Finding], first: int | None, last: int) -> None:
    """Note a run of blank lines; `first` is None where there was none."""
    if first is not None:
        what = "This line is blank." if first == last else f"{last - first + 1} lines from here on are blank."
        findings.append(Finding(kind="blank", line=first, detail=f"{what} Nothing was left out."))


@dataclass(slots=True, kw_only=True)
class _Linker:
    """Takes lines in order and gives each an id of its own and a parent that stands before it.

    `lines` holds the newest line of each id as the file has it, `ids` the id under which its entry stands now.
    """

    findings: list[Finding]
    entries: list[AnyEntry] = field(default_factory=list)
    lines: dict[str, _Line] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    def add(self, number: int, line: _Line) -> None:
        """Read one line after those before it."""
        line_id = line.get("id")
        if type(line_id) is not str or not line_id:
            new_id = self._new_id(number, line, "no-id", "This line has no id.")
            line_id = new_id
        elif line_id not in self.ids:
            new_id = line_id
        elif self.lines.get(line_id) == line:
            self._find("repeated-line", number, f"This line repeats entry {line_id}; it was left out.")
            return
        else:
            new_id = self._new_id(number, line, "repeated-id", f"An earlier line has the id {line_id} too.")
        linked = line if new_id == line.get("id") else {**line, "id": new_id}
        self.entries.append(parse_entry(self._with_parent(number, linked)))
        self.lines[line_id] = line
        self.ids[line_id] = self.ids[new_id] = new_id

    def _new_id(self, number: int, line: _Line, kind: FindingKind, detail: str) -> str:
        new_id = derive_entry_id(f"{line.get('id')}/{number}", self.ids)
        self._find(kind, number, f"{detail} Its id is now {new_id}.")
        return new_id

    def _with_parent(self, number: int, line: _Line) -> _Line:
        before: EntryId | None = self.entries[-1].id if self.entries else None
        if "parentId" not in line:
            self._find("no-parent-field", number, f"This line names no parent; it was hung on {before}.")
            return {**line, "parentId": before}
        parent_id = line["parentId"]
        if parent_id is None:
            return line
        known = self.ids.get(parent_id) if type(parent_id) is str else None
        if known is None:
            detail = f"No earlier line is its parent {parent_id!r}; it was hung on {before}."
            self._find("missing-parent", number, detail)
            known = before
        return line if known == parent_id else {**line, "parentId": known}

    def _find(self, kind: FindingKind, number: int, detail: str) -> None:
        self.findings.append(Finding(kind=kind, line=number, detail=detail))
