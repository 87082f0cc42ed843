"""Where each value of a JSON5 text stands: for errors that name a line, and for changes that touch nothing else.

pyjson5 decides what a text means (`document`); it tells no places. This scanner runs over a text that pyjson5 has
read already, so it need not refuse anything: it only has to find where names and values begin and end. Its limits are
those of pyjson5 (32 levels), and whoever writes by its places reads the result back with pyjson5 before it counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import pyjson5

from instar.errors import InvariantBroken

__all__ = ["Member", "Node", "line_and_column", "scan", "skip_blank"]

_BLANK: Final = re.compile(r"(?:[\s\ufeff]+|//[^\n\r\u2028\u2029]*|/\*.*?\*/)*", re.DOTALL)
_STRING: Final = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""", re.DOTALL)
_WORD: Final = re.compile(r"""[^\s\ufeff,:\[\]{}"'/]+""")
_LINE_END: Final = re.compile(r"\r\n|[\n\r]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A name with its value; `start` and `end` are the name's, quotes included."""

    name: str
    start: int
    end: int
    value: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A value from `start` to before `end`. `members` is None unless it is an object, `items` unless a list."""

    start: int
    end: int
    members: tuple[Member, ...] | None = None
    items: tuple[Node, ...] | None = None

    def member(self, name: str) -> Member | None:
        """The member called `name`, the last one if there are several: that is the one which counts."""
        return next((each for each in reversed(self.members or ()) if each.name == name), None)


def scan(text: str) -> Node:
    """The places of all values of `text`, which pyjson5 accepts. Raises InvariantBroken where the two disagree."""
    return _scan_value(text, skip_blank(text, 0))


def skip_blank(text: str, at: int) -> int:
    """The first place from `at` on that is neither blank nor comment."""
    found = _BLANK.match(text, at)
    return at if found is None else found.end()


def line_and_column(text: str, at: int) -> tuple[int, int]:
    """Line and column of place `at`, both from 1, columns in characters. A byte order mark is no character."""
    before = text[:at].removeprefix("\ufeff")
    lines = _LINE_END.split(before)
    return len(lines), len(lines[-1]) + 1


def _scan_value(text: str, at: int) -> Node:
    match text[at : at + 1]:
        case "{":
            return _scan_object(text, at)
        case "[":
            return _scan_list(text, at)
        case _:
            return Node(start=at, end=_token_end(text, at))


def _scan_object(text: str, start: int) -> Node:
    members: list[Member] = []
    at = skip_blank(text, start + 1)
    while text[at : at + 1] != "}":
        end = _token_end(text, at)
        value = _scan_value(text, skip_blank(text, _expect(text, skip_blank(text, end), ":")))
        members.append(Member(name=_read_name(text[at:end]), start=at, end=end, value=value))
        at = _after_comma(text, value.end, "}")
    return Node(start=start, end=at + 1, members=tuple(members))


def _scan_list(text: str, start: int) -> Node:
    items: list[Node] = []
    at = skip_blank(text, start + 1)
    while text[at : at + 1] != "]":
        items.append(_scan_value(text, at))
        at = _after_comma(text, items[-1].end, "]")
    return Node(start=start, end=at + 1, items=tuple(items))


def _after_comma(text: str, at: int, closing: str) -> int:
    at = skip_blank(text, at)
    return at if text[at : at + 1] == closing else skip_blank(text, _expect(text, at, ","))


def _expect(text: str, at: int, mark: str) -> int:
    if text[at : at + 1] != mark:
        raise InvariantBroken("the scanner reads what pyjson5 reads", why=f"no {mark} at {line_and_column(text, at)}")
    return at + 1


def _token_end(text: str, at: int) -> int:
    found = _STRING.match(text, at) or _WORD.match(text, at)
    if found is None:
        raise InvariantBroken("the scanner reads what pyjson5 reads", why=f"no value at {line_and_column(text, at)}")
    return found.end()


def _read_name(token: str) -> str:
    if token[0] in "\"'":
        return str(pyjson5.decode(token))
    return next(iter(pyjson5.decode(f"{{{token}: 0}}"))) if "\\" in token else token
