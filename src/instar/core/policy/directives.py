"""Directives inside other text: read them, and take them out of what the agent sees (CMD-28, STATUS-15, QUEUE-12).

A directive is a `/word` between blanks with an argument that makes sense. Anything else stays text: "what does /model
do?" asks a question, and losing a word of it would be worse than missing a directive.

Theory of operation: the text is walked once from left to right. At each directive word at most a handful of words
after it is looked at; what the directive took is cut out, and so is one of the two blanks around it. Line breaks and
all other characters of the text stay as they were written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from instar.core.policy.command_kinds import (
    Directive,
    Elevated,
    Model,
    Queue,
    Reasoning,
    Status,
    Think,
    UsageMode,
    Verbose,
)
from instar.core.policy.command_text import split_at_marker
from instar.core.policy.levels import parse_elevated, parse_reasoning, parse_thinking, parse_usage, parse_verbose
from instar.core.policy.model_choice import ModelNames, take_model
from instar.core.queue.settings import parse_queue_directive

__all__ = ["DIRECTIVE_WORDS", "read_directive", "strip_inline_directives"]

_ARGUMENT_WORDS: Final = 6
"""No directive takes more: `/queue` has a mode, three options and a word that removes all."""

_MOST_DIRECTIVES: Final = 16
"""Twice as many as there are; in a message with more of them the rest is text."""

Taken = tuple[Directive, int]
"""A directive and how many words after its own it took."""


Reader = Callable[[Sequence[str], ModelNames], Taken | None]
"""Reads a directive off the words after it; None if they make no sense."""


def _one_word(build: Callable[[str], Directive | None]) -> Reader:
    """A reader for a directive with one word, of which `build` makes it; None for a word it does not know."""

    def read(words: Sequence[str], _names: ModelNames) -> Taken | None:
        found = build(words[0]) if words else None
        return None if found is None else (found, 1)

    return read


def _build_think(word: str) -> Think | None:
    found = parse_thinking(word)
    return None if found is None else Think(level=found.level, reasoning=found.reasoning, given=word)


def _build_verbose(word: str) -> Verbose | None:
    level = parse_verbose(word)
    return None if level is None else Verbose(level=level, given=word)


def _build_reasoning(word: str) -> Reasoning | None:
    level = parse_reasoning(word)
    return None if level is None else Reasoning(level=level, given=word)


def _build_elevated(word: str) -> Elevated | None:
    level = parse_elevated(word)
    return None if level is None else Elevated(level=level, given=word)


def _build_usage(word: str) -> UsageMode | None:
    level = parse_usage(word)
    return None if level is None else UsageMode(level=level, given=word)


def _read_status(_words: Sequence[str], _names: ModelNames) -> Taken:
    return Status(), 0


def _read_model(words: Sequence[str], names: ModelNames) -> Taken | None:
    if words and words[0].lower() == "default" and names.default is not None:
        return Model(model=names.default, given=words[0]), 1
    taken = take_model(words, names)
    return None if taken is None else (Model(model=taken[0], given=" ".join(words[: taken[1]])), taken[1])


def _read_queue(words: Sequence[str], _names: ModelNames) -> Taken | None:
    found = parse_queue_directive(" ".join(words))
    used = len(words) - len(found.rest.split())
    found = replace(found, rest="")
    return None if found.shows or found.problem is not None else (Queue(directive=found), used)


_READERS: Final[Mapping[str, Reader]] = {
    "status": _read_status,
    "model": _read_model,
    "think": _one_word(_build_think),
    "verbose": _one_word(_build_verbose),
    "reasoning": _one_word(_build_reasoning),
    "elevated": _one_word(_build_elevated),
    "usage": _one_word(_build_usage),
    "queue": _read_queue,
}

_UNREAD: Final[Mapping[str, Callable[[str], Directive]]] = {
    "model": lambda given: Model(given=given),
    "think": lambda given: Think(given=given),
    "verbose": lambda given: Verbose(given=given),
    "reasoning": lambda given: Reasoning(given=given),
    "elevated": lambda given: Elevated(given=given),
    "usage": lambda given: UsageMode(given=given),
    "queue": lambda given: Queue(directive=parse_queue_directive(given)),
}

DIRECTIVE_WORDS: Final = frozenset(_READERS)
"""The words, without the slash, of commands that also work inside other text."""

_DIRECTIVE: Final = re.compile(rf"(?<!\S)/({'|'.join(_READERS)})(?:(?!\S)|:)", re.IGNORECASE)
_WORD: Final = re.compile(r"\S+")


def strip_inline_directives(text: str, *, models: ModelNames | None = None) -> tuple[str, tuple[Directive, ...]]:
    """The text without its directives, and the directives in order (CMD-28, STATUS-15).

    What stands before a current-message marker was written by others and is left alone. Without directives the text
    comes back as it was.
    """
    names = models or ModelNames()
    before, current = split_at_marker(text)
    found: list[Directive] = []
    kept: list[str] = []
    end = 0
    for match in _DIRECTIVE.finditer(current):
        if len(found) == _MOST_DIRECTIVES:
            break
        if match.start() < end:
            continue  # an argument of the directive before it
        taken = _read_at(current, match, names)
        if taken is None:
            continue
        found.append(taken[0])
        kept.append(current[end : match.start()])
        end = taken[1]
    if not found:
        return text, ()
    rest = _join([*kept, current[end:]]).strip()
    return (f"{before} {rest}".strip() if before else rest), tuple(found)


def read_directive(word: str, arguments: str, *, models: ModelNames) -> Directive | None:
    """The directive `word` with these arguments alone; None if other text follows an argument it understood.

    An argument that it does not understand stands in `given` of the result.
    """
    words = arguments.split()
    taken = _READERS[word](words[:_ARGUMENT_WORDS], models)
    if taken is None:
        return _UNREAD[word](arguments)
    return taken[0] if taken[1] == len(words) else None


def _read_at(text: str, match: re.Match[str], names: ModelNames) -> tuple[Directive, int] | None:
    """The directive at a match and where what it took ends; None if it is no directive after all."""
    words: list[str] = []
    ends = [match.end()]
    while len(words) < _ARGUMENT_WORDS and (word := _WORD.search(text, ends[-1])) is not None:
        words.append(word[0])
        ends.append(word.end())
    taken = _READERS[match[1].lower()](words, names)
    return None if taken is None else (taken[0], ends[taken[1]])


def _join(pieces: Sequence[str]) -> str:
    """The pieces side by side: one blank where a directive stood in a line, one line break where it was a line."""
    out = pieces[0].rstrip(" \t")
    for piece in pieces[1:]:
        right = piece.strip(" \t")
        if out.endswith("\n"):
            right = right.removeprefix("\n")
        elif out and right and right[0] != "\n":
            out += " "
        out += right
    return out
