"""``sessions.json`` as other programs, editors and crashes left it → entries with their lines (STORE-6, STORE-7).

A file that is empty, cut in the middle or written by hand gives every entry that can still be made out; what cannot
is named with its line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import pyjson5

from instar.core.model.fields import rename_old_fields

__all__ = ["IndexEntry", "IndexReading", "find_channel", "read_index"]

_NEXT: Final = re.compile(r'\n {0,2}"(?=(?:[^"\\\n]|\\.)+"\s*:\s*\{)')
"""Where the next entry begins behind one that is damaged: a name at the outer depth with an object behind it."""

_scan: Final = json.JSONDecoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """One row: its key as it was written, its fields under today's names, the line on which it begins."""

    key: str
    fields: Mapping[str, object]
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReading:
    """What a file gave. `problems` are pairs of line (0 for the whole file) and sentence."""

    entries: tuple[IndexEntry, ...] = ()
    problems: tuple[tuple[int, str], ...] = field(default=())


def read_index(data: bytes) -> IndexReading:
    """Every entry that can be made out. Never raises over what the file holds."""
    text = data.decode("utf-8-sig", "replace")
    if not text.strip("\0 \t\r\n"):
        return IndexReading(problems=((0, "the file is empty"),))
    problems: list[tuple[int, str]] = []
    pairs = list(_read_whole(text, problems))
    entries = []
    for key, value, line in pairs:
        if isinstance(value, Mapping):
            entries.append(IndexEntry(key=key, fields=rename_old_fields(_text_keys(value)), line=line))
        else:
            problems.append((line, f"the entry {key!r} is no object"))
    return IndexReading(entries=tuple(entries), problems=tuple(sorted(problems)))


def find_channel(fields: Mapping[str, object]) -> str | None:
    """The channel that an entry says it is of, for a key that names none (KEY-14); None where it says nothing."""
    origin, context = fields.get("origin"), fields.get("deliveryContext")
    said = (
        fields.get("channel"),
        origin.get("provider") if isinstance(origin, Mapping) else None,
        fields.get("lastChannel"),
        context.get("channel") if isinstance(context, Mapping) else None,
    )
    return next((word for word in said if isinstance(word, str) and word.strip()), None)


def _read_whole(text: str, problems: list[tuple[int, str]]) -> Iterator[tuple[str, object, int]]:
    try:
        value: object = json.loads(text, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError) as error:
        why = str(error)
    else:
        if not isinstance(value, _Pairs):
            problems.append((1, "the file holds no object"))
            return
        yield from ((key, _plain(part), _line_of(text, key)) for key, part in value.pairs)
        return
    try:
        loose = pyjson5.loads(text)
    except (pyjson5.Json5Exception, RecursionError):
        problems.append((0, f"the file is damaged ({why}); what can be made out is taken"))
        yield from _salvage(text, problems)
        return
    if not isinstance(loose, dict):
        problems.append((1, "the file holds no object"))
        return
    yield from ((str(key), part, _line_of(text, str(key))) for key, part in loose.items())


def _salvage(text: str, problems: list[tuple[int, str]]) -> Iterator[tuple[str, object, int]]:
    """Entry after entry, over damaged ones, as far as the text goes."""
    at = text.find('"')
    while at >= 0:
        line = text.count("\n", 0, at) + 1
        try:
            key, at = _scan.raw_decode(text, at)
            at = _skip(text, at, ":")
            value, at = _scan.raw_decode(text, at)
        except (ValueError, RecursionError):
            problems.append((line, "this entry cannot be read"))
            found = _NEXT.search(text, at)
            at = -1 if found is None else found.end() - 1
            continue
        yield str(key), value, line
        at = text.find('"', at)


def _skip(text: str, at: int, mark: str) -> int:
    found = re.compile(rf"\s*{mark}\s*").match(text, at)
    if found is None:
        raise ValueError(mark)
    return found.end()


def _line_of(text: str, key: str) -> int:
    """The line on which a key first stands, 0 where it is spelled in another way."""
    at = text.find(json.dumps(key, ensure_ascii=False))
    return text.count("\n", 0, at) + 1 if at >= 0 else 0


class _Pairs:
    """An object with its names as often as they stand there: a key may come twice."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        self.pairs = pairs


def _plain(value: object) -> object:
    if isinstance(value, _Pairs):
        return {key: _plain(part) for key, part in value.pairs}
    return [_plain(part) for part in value] if isinstance(value, list) else value


def _text_keys(value: Mapping[object, object]) -> dict[str, object]:
    return {str(key): part for key, part in value.items()}
