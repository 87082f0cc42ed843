"""Fields of requests: what they may hold, and one function that checks them all (RPC-30).

Messages are those that clients of this protocol know from its reference implementation, so that they read the same
against either: ``must have required property 'key'; at root: unexpected property 'bogus'``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from instar.errors import InvalidRequest

__all__ = ["Field", "Kind", "Params", "check_params"]

Kind = Literal["string", "integer", "number", "boolean", "object", "array", "any"]

_SAFE: Final = 2**53 - 1
"""The largest integer that every JSON reader agrees on (RFC 8259, section 6)."""

DEPTH_MAX: Final = 64
"""How deep lists and objects may stand in one another; what walks over them later has no other bound."""

_PROBLEMS_MAX: Final = 8
"""A message names this many problems; more help nobody and would let a request choose the size of its answer."""

_NAME_MAX_CHARS: Final = 64
"""So much of a name that nobody knows is repeated, for the same reason."""

_Path = tuple[str, ...]
"""The names and numbers that lead to a value inside a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a request.

    `kinds` are the JSON types it may have; `nullable` allows null as well. `least` and `most` bound a number, or the
    length of a string or list. `lowered` says that a number above `most` is lowered to it instead of refused.
    `choices` restricts strings; `items` describes each element of a list and `fields` those of an object (others are
    allowed there unless `closed`). A field that is not `used` is accepted and ignored: other gateways know it, this
    one does not.
    """

    name: str
    kinds: tuple[Kind, ...] = ("string",)
    required: bool = False
    nullable: bool = False
    least: int | None = None
    most: int | None = None
    lowered: bool = False
    choices: tuple[str, ...] = ()
    items: Field | None = None
    fields: tuple[Field, ...] = ()
    closed: bool = False
    used: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True)
class Params:
    """Checked params with typed access. A field that was not given, or is null, reads as its default."""

    values: Mapping[str, object] = field(default_factory=dict)

    def text(self, name: str, default: str = "") -> str:
        """A string."""
        value = self.values.get(name)
        return value if isinstance(value, str) else default

    def maybe_text(self, name: str) -> str | None:
        """A string, or None."""
        value = self.values.get(name)
        return value if isinstance(value, str) else None

    def whole(self, name: str, default: int) -> int:
        """An integer."""
        value = self.maybe_whole(name)
        return default if value is None else value

    def maybe_whole(self, name: str) -> int | None:
        """An integer, or None."""
        value = self.values.get(name)
        return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A boolean."""
        value = self.values.get(name)
        return value if isinstance(value, bool) else default

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        return tuple(item for item in self.list(name) if isinstance(item, str))

    def list(self, name: str) -> Sequence[object]:
        """A list."""
        value = self.values.get(name)
        return value if isinstance(value, list) else ()

    def record(self, name: str) -> Mapping[str, object]:
        """An object."""
        value = self.values.get(name)
        return value if isinstance(value, dict) else {}

    def has(self, name: str) -> bool:
        """Whether the field was given, null included."""
        return name in self.values

    def without(self, *names: str) -> Mapping[str, object]:
        """Every field that was given but these."""
        return {name: value for name, value in self.values.items() if name not in names}


def check_params(method: str, fields: Sequence[Field], given: Mapping[str, object]) -> Params:
    """The used fields of a request. Raises `InvalidRequest` that names every problem (at most eight)."""
    known = {one.name: one for one in fields}
    if deep := next((name for name, value in given.items() if _is_deep(value)), None):
        what = f"at {_pointer((deep[:_NAME_MAX_CHARS],))}: must NOT be nested deeper than {DEPTH_MAX} levels"
        raise InvalidRequest(f"invalid {method} params: {what}", field=deep[:_NAME_MAX_CHARS])
    problems = [*_missing(fields, given, at=()), *_unexpected(known, given, at=())]
    for name, value in given.items():
        if name in known and known[name].used:
            problems.extend(_problems(known[name], value, at=(name,)))
    if problems:
        listed = "; ".join(dict.fromkeys(problem.text for problem in problems[:_PROBLEMS_MAX]))
        raise InvalidRequest(f"invalid {method} params: {listed}", field=problems[0].field)
    return Params({name: _lower(known[name], value) for name, value in given.items() if known[name].used})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    """What is wrong, in words for people, and the field that it is about for programs: ``chat.id``."""

    text: str
    field: str


def _is_deep(value: object) -> bool:
    """Whether lists and objects stand in one another deeper than anybody needs; looked at level by level."""
    level = [value]
    for _ in range(DEPTH_MAX):
        level = [
            inner
            for each in level
            for inner in (each.values() if isinstance(each, dict) else each if isinstance(each, list) else ())
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _missing(fields: Sequence[Field], given: Mapping[str, object], *, at: _Path) -> Iterator[_Problem]:
    where = f"at {_pointer(at)}: " if at else ""
    for one in fields:
        if one.required and one.name not in given:
            yield _Problem(text=f"{where}must have required property '{one.name}'", field=".".join((*at, one.name)))


def _unexpected(known: Mapping[str, Field], given: Mapping[str, object], *, at: _Path) -> Iterator[_Problem]:
    where = f"at {_pointer(at)}" if at else "at root"
    for name in given:
        if name not in known:
            shown = name[:_NAME_MAX_CHARS]
            yield _Problem(text=f"{where}: unexpected property '{shown}'", field=".".join((*at, shown)))


def _problems(one: Field, value: object, *, at: _Path) -> Iterator[_Problem]:
    """What is wrong with a value, each as ``at /path: …``."""
    if value is None and one.nullable:
        return
    if not any(_is_kind(kind, value) for kind in one.kinds):
        kinds = [*one.kinds, "null"] if one.nullable else [*one.kinds]
        yield _Problem(text=f"at {_pointer(at)}: must be {' or '.join(kinds)}", field=".".join(at))
        return
    for what in _out_of_bounds(one, value):
        yield _Problem(text=f"at {_pointer(at)}: {what}", field=".".join(at))
    if isinstance(value, list) and one.items is not None:
        for index, item in enumerate(value):
            yield from _problems(one.items, item, at=(*at, str(index)))
    if isinstance(value, dict) and one.fields:
        known = {inner.name: inner for inner in one.fields}
        yield from _missing(one.fields, value, at=at)
        if one.closed:
            yield from _unexpected(known, value, at=at)
        for name in value:
            if name in known:
                yield from _problems(known[name], value[name], at=(*at, name))


def _is_kind(kind: Kind, value: object) -> bool:
    match kind:
        case "any":
            return True
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return _is_integer(value)
        case "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)


def _is_integer(value: object) -> bool:
    """5.0 is an integer in JSON; True is none, nor is what a double cannot hold exactly."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return -_SAFE <= value <= _SAFE and float(value).is_integer()


def _out_of_bounds(one: Field, value: object) -> Iterator[str]:
    if isinstance(value, str):
        if one.choices and value not in one.choices:
            yield f"must be equal to one of the allowed values ({', '.join(one.choices)})"
        yield from _length(one, len(value), of="characters")
    elif isinstance(value, list):
        yield from _length(one, len(value), of="items")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        if one.least is not None and value < one.least:
            yield f"must be >= {one.least}"
        if one.most is not None and value > one.most and not one.lowered:
            yield f"must be <= {one.most}"


def _length(one: Field, length: int, *, of: str) -> Iterator[str]:
    if one.least is not None and length < one.least:
        yield f"must NOT have fewer than {one.least} {of}"
    if one.most is not None and length > one.most:
        yield f"must NOT have more than {one.most} {of}"


def _lower(one: Field, value: object) -> object:
    """The value, lowered to the field's bound where the field says so."""
    if one.lowered and one.most is not None and isinstance(value, (int, float)) and not isinstance(value, bool):
        return min(value, one.most)
    return value


def _pointer(at: _Path) -> str:
    """The place as a JSON pointer (RFC 6901)."""
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in at)
