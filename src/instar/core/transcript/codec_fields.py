"""Reading one JSON object field by field, without losing what a typed value cannot say.

Transcript lines come from several programs and years, and each line must leave Instar as it came. A typed value has
one place per known field; everything else about the object goes into its `extra`:

* a field this build does not know: under its name, as it is;
* a known field in another spelling (a time with microseconds, a number where text belongs): its original under its
  name, while the typed field holds the best reading of it;
* a known field that the object lacks although lines of today have it: `ABSENT` under its name.

Writing is then one rule (`put_extra`): the typed fields first, `extra` over them. Whoever changes a typed field by
`dataclasses.replace` must drop its name from `extra`, or the original wins.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum
from typing import Final

from instar.core.model.ids import Instant
from instar.core.model.instant import format_iso, is_canonical_iso, parse_iso, read_instant

__all__ = ["ABSENT", "Absent", "FieldReader", "put_extra", "put_timestamp"]


class Absent(Enum):
    """The type of `ABSENT`."""

    FIELD = "absent"


ABSENT: Final = Absent.FIELD
"""Stands in `extra` for a field that the object does not have. It never reaches a file."""


class FieldReader:
    """Takes the known fields out of one object and gathers the rest for `extra`.

    Each method takes one field once; `rest` comes last.
    """

    __slots__ = ("_extra", "_raw", "_seen")

    def __init__(self, raw: Mapping[str, object], *, seen: int = 0) -> None:
        """`seen` counts fields that the caller has read already and that need no place in `extra`."""
        self._raw = raw
        self._seen = seen
        self._extra: dict[str, object] = {}

    def text(self, name: str) -> str:
        """A text that lines of today always have; empty if it is missing or no text."""
        value = self._raw.get(name, ABSENT)
        if type(value) is str:
            self._seen += 1
            return value
        self._extra[name] = value
        return ""

    def optional_text(self, name: str) -> str | None:
        """A text that a line may lack."""
        value = self._raw.get(name, ABSENT)
        if type(value) is str:
            self._seen += 1
            return value
        if value is not ABSENT:
            self._extra[name] = value
        return None

    def flag(self, name: str) -> bool:
        """A boolean that lines of today always have; False if it is missing or no boolean."""
        value = self._raw.get(name, ABSENT)
        if type(value) is bool:
            self._seen += 1
            return value
        self._extra[name] = value
        return False

    def count(self, name: str) -> int:
        """A whole number that lines of today always have; the floor of another number, 0 for anything else."""
        value = self._raw.get(name, ABSENT)
        if type(value) is int:
            self._seen += 1
            return value
        self._extra[name] = value
        return math.floor(value) if type(value) is float and math.isfinite(value) else 0

    def optional(self, name: str) -> object | None:
        """Any value that a line may lack. An explicit null is remembered as such."""
        value = self._raw.get(name, ABSENT)
        if value is ABSENT:
            return None
        if value is None:
            self._extra[name] = None
        else:
            self._seen += 1
        return value

    def line_time(self) -> Instant | None:
        """The `timestamp` of a line: ISO text."""
        value = self._raw.get("timestamp", ABSENT)
        if type(value) is str:
            instant = parse_iso(value)
            if instant is not None and is_canonical_iso(value):
                self._seen += 1
                return instant
        elif value is ABSENT:
            return None
        else:
            instant = _number_instant(value)
        self._extra["timestamp"] = value
        return instant

    def message_time(self) -> Instant | None:
        """The `timestamp` of a message: epoch milliseconds."""
        value = self._raw.get("timestamp", ABSENT)
        instant = read_instant(value)
        if instant is not None:
            self._seen += 1
            return instant
        if value is ABSENT:
            return None
        self._extra["timestamp"] = value
        return parse_iso(value) if type(value) is str else _number_instant(value)

    def keep(self, name: str) -> None:
        """Note the original of a field that the caller has read in another way, or that it is missing."""
        self._extra[name] = self._raw.get(name, ABSENT)

    def take(self) -> None:
        """Count one field that the caller has read without loss."""
        self._seen += 1

    def rest(self, known: frozenset[str]) -> dict[str, object]:
        """Everything that the typed fields do not say; `known` names the fields that have a place of their own."""
        if self._extra or self._seen != len(self._raw):
            for name, value in self._raw.items():
                if name not in known:
                    self._extra[name] = value
        return self._extra


def _number_instant(value: object) -> Instant | None:
    """A number as epoch milliseconds, None for what is no instant."""
    return read_instant(math.floor(value) if type(value) is float and math.isfinite(value) else value)


def put_extra(raw: dict[str, object], extra: Mapping[str, object]) -> dict[str, object]:
    """`raw` with `extra` laid over it: the object as it was read."""
    for name, value in extra.items():
        if value is ABSENT:
            raw.pop(name, None)
        else:
            raw[name] = value
    return raw


def put_timestamp(raw: dict[str, object], at: Instant | None) -> None:
    """Write the ISO `timestamp` of a line, if it has one."""
    if at is not None:
        raw["timestamp"] = format_iso(at)
