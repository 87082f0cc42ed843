"""A JSON5 text as values with places: what `load` reads and errors point into (CFG-1, CFG-2).

What belongs here: what a text means, where its parts stand, and what is wrong with it. What does not: what the
settings mean. Nothing here touches a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import pyjson5

from instar.config.aliases import BARE_FIELDS
from instar.config.scan import Node, line_and_column, scan, skip_blank
from instar.errors import ConfigError, InvariantBroken

__all__ = ["Document", "Path", "find_duplicates", "find_place", "parse_document", "parse_path", "place_error"]

TEXT_MAX_BYTES: Final = 4 * 1024 * 1024
"""A configuration of a thousand people and groups takes 200 kB; what is larger is not one."""

NESTING_MAX: Final = 32
"""The deepest setting stands seven levels down."""

Path = tuple[str | int, ...]
"""The way to a setting: names of members and numbers of items."""

_STEP: Final = re.compile(r"""\.?([^.\[\]"']+)|\[([0-9]+)\]|\.?\[?("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\]?""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A text, what it says, and where; `file` is its name for errors. `tree` is None if places are unknown."""

    text: str
    file: str
    value: Mapping[str, object]
    tree: Node | None


def parse_document(text: str, *, file: str = "") -> Document:
    """The object that `text` holds. Raises ConfigError with line and column for anything else."""
    if len(text) > TEXT_MAX_BYTES:
        raise _fault(
            text,
            0,
            file=file,
            what="The configuration is too large",
            why=f"it has {len(text)} characters and {TEXT_MAX_BYTES} are allowed",
            fix="Name the right file.",
        )
    try:
        value = pyjson5.decode(text, maxdepth=NESTING_MAX)
    except pyjson5.Json5DecoderException as error:
        raise _syntax_error(text, error, file=file) from None
    if not isinstance(value, dict):
        raise _fault(
            text,
            skip_blank(text, 0),
            file=file,
            what="The configuration is not an object",
            why="it holds a single value or a list",
            fix="Write { … } around the settings.",
        )
    try:
        tree = scan(text)
    except InvariantBroken:
        tree = None  # The text is good; only its places are unknown.
    return Document(text=text, file=file, value=value, tree=tree)


def parse_path(text: str) -> Path:
    """``session.reset``, ``bindings[3].match``, ``models.providers["my own"]`` as steps. Raises ConfigError."""
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None or found.end() == at:
            raise ConfigError(
                "The path cannot be read",
                why=f'it is "{text}"',
                fix='Write it like session.reset.mode, bindings[0].agentId or models.providers["my own"].',
            )
        word, number, quoted = found.groups()
        steps.append(int(number) if number is not None else word or str(pyjson5.decode(quoted)))
        at = found.end()
    return tuple(steps)


def find_place(document: Document, path: Path, *, of_name: bool = False) -> tuple[int, int] | None:
    """Line and column of the value at `path`, or of its name; of what comes nearest if it is not there.

    A setting that may stand in two places is looked for in both (CFG-3). None if places are unknown.
    """
    if document.tree is None:
        return None
    ways = [_walk(document.tree, way, of_name=of_name) for way in _ways(path)]
    _, at = min(ways, key=lambda way: way[0])
    return line_and_column(document.text, at)


def place_error(document: Document, error: ConfigError) -> ConfigError:
    """`error` with the file, line and column of the setting that it names."""
    try:
        place = find_place(document, parse_path(error.path)) if error.path and error.line is None else None
    except ConfigError:  # a name that the path does not write as `parse_path` reads it
        place = None
    line, column = place or (error.line, error.column)
    return ConfigError(
        error.what,
        why=error.why,
        fix=error.fix,
        path=error.path,
        file=error.file or document.file,
        line=line,
        column=column,
    )


def find_duplicates(document: Document) -> Iterator[tuple[Path, tuple[int, int]]]:
    """Each name that an earlier member of its object has too: its path, and line and column of the later one."""
    if document.tree is not None:
        for path, at in _duplicates(document.tree, ()):
            yield path, line_and_column(document.text, at)


def _duplicates(node: Node, path: Path) -> Iterator[tuple[Path, int]]:
    seen: set[str] = set()
    for member in node.members or ():
        here = (*path, member.name)
        if member.name in seen:
            yield here, member.start
        seen.add(member.name)
        yield from _duplicates(member.value, here)
    for at, item in enumerate(node.items or ()):
        yield from _duplicates(item, (*path, at))


def _ways(path: Path) -> Iterator[Path]:
    """`path`, and the other ways by which the same setting may be written."""
    yield path
    if len(path) > 1 and path[0] == "session" and path[1] in BARE_FIELDS:
        yield path[1:]
    if len(path) > 2 and path[:2] == ("agents", "defaults"):
        yield ("agent", *path[2:])


def _walk(node: Node, path: Path, *, of_name: bool) -> tuple[int, int]:
    """How many steps of `path` are missing, and where the last that is there stands."""
    at = node.start
    for depth, step in enumerate(path):
        if isinstance(step, str):
            member = node.member(step)
            if member is None:
                return len(path) - depth, at
            node, at = member.value, (member.start if of_name else member.value.start)
        else:
            items = node.items or ()
            if step >= len(items):
                return len(path) - depth, at
            node = items[step]
            at = node.start
    return 0, at


# ---------------------------------------------------------------- what is wrong with a text

_NEAR: Final = re.compile(r"near ([0-9]+)")


def _syntax_error(text: str, error: pyjson5.Json5DecoderException, *, file: str) -> ConfigError:
    """pyjson5's complaint with its place. It counts the characters it has read, the offending one included."""
    message = str(error.args[0])
    near = _NEAR.search(message)
    at = max(0, int(near[1]) - 1) if near else 0
    if isinstance(error, pyjson5.Json5ExtraData):
        at = skip_blank(text, at + 1)
    what, why, fix = _explain(text, error, message)
    if "comment" in message:
        at = max(0, text.rfind("/*", 0, at + 2))
    return _fault(text, at, file=file, what=what, why=why, fix=fix)


def _explain(text: str, error: pyjson5.Json5DecoderException, message: str) -> tuple[str, str, str]:
    """What, why and fix of a complaint of pyjson5, in words for people."""
    if isinstance(error, pyjson5.Json5NestingTooDeep):
        return (
            "The configuration is nested too deeply",
            f"more than {NESTING_MAX} levels",
            "Look for a missing bracket.",
        )
    if isinstance(error, pyjson5.Json5ExtraData):
        return (
            "The configuration goes on after its end",
            "there is more text after the closing bracket",
            "Take it away.",
        )
    if "No JSON data" in message:
        what = (
            "The configuration is empty" if not text.strip("\ufeff \t\r\n") else "The configuration holds comments only"
        )
        return what, "there is no { … } in it", "Write {} to take every default."
    why, fix = next(((why, fix) for sign, why, fix in _COMPLAINTS if sign in message), _UNKNOWN_COMPLAINT)
    return "The configuration cannot be read", why, fix


_COMPARE: Final = "Compare the line with its neighbours."
_UNKNOWN_COMPLAINT: Final = ("this is no value", "Put text in quotes.")
_COMPLAINTS: Final = (
    ("Unclosed b'string'", "a text in quotes begins here and does not end", "Close it, in the same line."),
    ("Unclosed b'comment'", "a comment begins here and does not end", "Close it with */."),
    ("Unclosed b'object'", "an object begins here and does not end", "Close it with }."),
    ("Unclosed b'array'", "a list begins here and does not end", "Close it with ]."),
    ("Unclosed b'NumericLiteral'", "this is no number", "Write it like 12 or 1.5, or put text in quotes."),
    ("Expected b'colon'", "a colon is expected here, after the name", _COMPARE),
    ("Expected b'comma'", "a comma or a closing bracket is expected here", _COMPARE),
    ("Expected b'IdentifierStart'", "a name is expected here", "Put names that are no plain words in quotes."),
    ("Expected b'JSON5Value'", "a value is expected here", "Put text in quotes."),
    ("hexadecimal", "a hexadecimal digit is expected here", r"Write \\ for a backslash."),
    ("comma", "there is one comma too many", "Take it away."),
)


def _fault(text: str, at: int, *, file: str, what: str, why: str, fix: str) -> ConfigError:
    line, column = line_and_column(text, min(at, len(text)))
    return ConfigError(what, why=why, fix=fix, file=file, line=line, column=column)
