r"""Words by which a person can be told from others, and texts without them (LEAK-11).

What belongs here: which words of what somebody wrote are distinctive enough to be looked for, a pattern that finds
many of them at once, and a text with them blanked out. What does not: where to look.

Theory: an e-mail address, a number, a code, a long word and a whole sentence say who wrote them; "please" does not.
So only such are taken, and of those the caller drops what others wrote themselves. A pattern over a thousand words is
built as a tree of their beginnings, which makes it as fast as one over a few.

Limits: at most `NEEDLES_MAX` words, names and ids before the longest of the others. A word counts where no letter,
digit or underscore stands beside it, so "Ann" is not found in "Annual". The letter of an escape is none: in JSON a line
that begins with a word stands as ``\nzebra-1``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

__all__ = [
    "BLANK",
    "NEEDLES_MAX",
    "NO_WORDS",
    "Cleaner",
    "build_cleaner",
    "build_pattern",
    "choose_needles",
    "clean_value",
    "extract_needles",
]

BLANK: Final = "[erased]"
"""What stands where a name, an id or a quote of an erased person stood."""

NEEDLES_MAX: Final = 2_000
"""As many words as are looked for; whoever wrote more is found by the longest of them."""

SHORTEST: Final = 5
"""Shorter words and ids occur everywhere by chance."""

_TOKEN: Final = re.compile(r"[^\W_][\w.@+-]*\w")
_LONG_CHARS: Final = 12
_SENTENCE_CHARS: Final = (12, 160)
_NO_SENTENCE: Final = re.compile(r"[\"\\\x00-\x1f]")


def extract_needles(texts: Iterable[str]) -> frozenset[str]:
    """The distinctive words of what somebody wrote: tokens with a digit or an ``@``, long words, whole sentences that
    stand in files as they were written.
    """
    found: set[str] = set()
    for text in texts:
        found.update(token for token in _TOKEN.findall(text) if _is_distinctive(token))
        sentence = text.strip()
        if _SENTENCE_CHARS[0] <= len(sentence) <= _SENTENCE_CHARS[1] and not _NO_SENTENCE.search(sentence):
            found.add(sentence)
    return frozenset(found)


def choose_needles(words: Iterable[str], *, names: Iterable[str]) -> frozenset[str]:
    """All names and ids of somebody, and of their words so many of the longest as are looked for."""
    kept = frozenset(names)
    longest = sorted(set(words) - kept, key=lambda word: (-len(word), word))
    return kept | frozenset(longest[: max(NEEDLES_MAX - len(kept), 0)])


def _is_distinctive(token: str) -> bool:
    if len(token) < SHORTEST:
        return False
    return len(token) >= _LONG_CHARS or "@" in token or any(sign.isdigit() for sign in token)


def build_pattern(needles: Iterable[str]) -> str | None:
    """A regular expression that finds any of the words, as a whole; None without any."""
    chosen = sorted({needle for needle in needles if needle}, key=lambda needle: (-len(needle), needle))[:NEEDLES_MAX]
    if not chosen:
        return None
    tree: dict[str, object] = {}
    for needle in chosen:
        _plant(tree, needle)
    return rf"{_BEGIN}{_write(tree)}(?![0-9A-Za-z_])"


_BEGIN: Final = r"(?<![0-9A-Zac-eg-mo-qsu-z_])(?<!(?<!\\)[bfnrt])"
"""No sign of a word stands before it; b, f, n, r and t may, where they are the letter of an escape."""

_END: Final = ""


def _plant(tree: dict[str, object], needle: str) -> None:
    for sign in needle:
        branch = tree.setdefault(sign, {})
        assert isinstance(branch, dict)  # noqa: S101 - only `_END` is no branch, and no sign is empty
        tree = branch
    tree[_END] = True


def _write(tree: dict[str, object]) -> str:
    """The tree as an expression; of two words the longer is tried first."""
    stem = ""
    while len(tree) == 1 and _END not in tree:
        (sign, branch), *_ = tree.items()
        assert isinstance(branch, dict)  # noqa: S101 - see `_plant`
        stem, tree = stem + re.escape(sign), branch
    ways = [re.escape(sign) + _write(branch) for sign, branch in tree.items() if isinstance(branch, dict)]
    if not ways:
        return stem
    rest = f"(?:{'|'.join(ways)})"
    return f"{stem}{rest}?" if _END in tree else f"{stem}{rest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaner:
    """Finds and blanks out words. `pattern` None finds nothing."""

    pattern: re.Pattern[str] | None = None

    def finds(self, text: str) -> bool:
        """Whether any of the words stands in a text."""
        return self.pattern is not None and self.pattern.search(text) is not None

    def find_all(self, text: str) -> Iterator[str]:
        """Every one of the words that stands in a text, as often as it does."""
        return (match.group() for match in self.pattern.finditer(text)) if self.pattern is not None else iter(())

    def clean(self, text: str) -> str:
        """The text without them."""
        return self.pattern.sub(BLANK, text) if self.pattern is not None else text


NO_WORDS: Final = Cleaner()
"""Finds nothing."""


def build_cleaner(needles: Iterable[str]) -> Cleaner:
    """A cleaner for these words."""
    pattern = build_pattern(needles)
    return Cleaner(pattern=re.compile(pattern) if pattern is not None else None)


def clean_value(value: object, cleaner: Cleaner) -> object:
    """A JSON value with the person blanked out of every text in it."""
    match value:
        case str():
            return cleaner.clean(value)
        case Mapping():
            return {key: clean_value(each, cleaner) for key, each in value.items()}
        case list() | tuple():
            return [clean_value(each, cleaner) for each in value]
        case _:
            return value
