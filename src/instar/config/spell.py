"""How a value is spelled as JSON5, in the manner of its neighbours: for changes that do not stand out (`edit`)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from instar.config.scan import Member, Node, scan
from instar.errors import ConfigError

__all__ = ["INDENT", "Style", "style_of"]

INDENT: Final = "  "
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How the neighbours of a change write names and commas."""

    is_quoted: bool

    @property
    def last_comma(self) -> str:
        """What follows the last entry of several lines: plain JSON allows no comma there."""
        return "" if self.is_quoted else ","

    def name(self, name: str) -> str:
        """`name` as the name of a member."""
        return name if not self.is_quoted and _PLAIN_NAME.fullmatch(name) else _text(name)

    def format(self, value: object, indent: str | None) -> str:
        """`value` as JSON5; over several lines below `indent`, in one line if that is None."""
        match value:
            case Mapping() if value:
                return self._block(
                    [f"{self.name(str(k))}: {self._inner(v, indent)}" for k, v in value.items()], "{}", indent
                )
            case list() | tuple() if value:
                is_short = all(isinstance(each, str | int | float | bool | None) for each in value)
                inner = None if is_short else indent
                return self._block([self._inner(each, inner) for each in value], "[]", inner)
            case _:
                return _scalar(value)

    def _inner(self, value: object, indent: str | None) -> str:
        return self.format(value, None if indent is None else indent + INDENT)

    def _block(self, entries: list[str], brackets: str, indent: str | None) -> str:
        if indent is None:
            pad = " " if brackets == "{}" else ""
            return f"{brackets[0]}{pad}{', '.join(entries)}{pad}{brackets[1]}"
        lines = "".join(
            f"\n{indent}{INDENT}{entry}{',' if at < len(entries) - 1 else self.last_comma}"
            for at, entry in enumerate(entries)
        )
        return f"{brackets[0]}{lines}\n{indent}{brackets[1]}"


def _scalar(value: object) -> str:
    match value:
        case str():
            return _text(value)
        case bool() | None | int():
            return json.dumps(value)
        case float() if math.isfinite(value):
            return json.dumps(value)
        case Mapping():
            return "{}"
        case list() | tuple():
            return "[]"
        case _:
            raise ConfigError(
                "The value cannot be written",
                why="JSON has no word for it",
                fix="Write a number, text, true, false or null.",
            )


def _text(text: str) -> str:
    """`text` in quotes. Line separators are escaped, since JSON5 readers differ about them, and so are halves of
    surrogate pairs, which no file can hold.
    """
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(
        f"\\u{ord(each):04x}" if each in "\u2028\u2029" or "\ud800" <= each <= "\udfff" else each for each in quoted
    )


def style_of(text: str, node: Node) -> Style:
    """The style of the names in `node`; of the whole text, if it has none."""
    members = _all_members(node) or _all_members(scan(text))
    return Style(is_quoted=bool(members) and all(text[member.start] in "\"'" for member in members))


def _all_members(node: Node) -> list[Member]:
    inner = [each.value for each in node.members or ()] + list(node.items or ())
    return [*(node.members or ()), *(member for each in inner for member in _all_members(each))]
