"""The part of a message that shows why a search found it (SEARCH-5)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from instar.core.transcript.search_text import fold_text, is_spaceless

__all__ = ["EXCERPT_CHARS", "cut_around", "cut_excerpt"]

EXCERPT_CHARS: Final = 240
"""The longest excerpt, ellipses included."""

_LEAD: Final = 0.3
"""How much of an excerpt stands before the word that was found."""

_STEM_LEAST: Final = 3
"""The fewest letters by which a word is recognised in another form of it."""

_ENDING_MOST: Final = 3
"""How many letters an ending may have that the index takes off a word."""

_WORD_PART: Final = re.compile(r"\w+")


def cut_excerpt(text: str, words: Sequence[str], *, max_chars: int = EXCERPT_CHARS) -> str:
    """One line of `text` around the first of `words` that stands in it; its beginning if none is seen to.

    `words` are those of `split_query`. Cut at blanks where there are some near, with an ellipsis where it was cut.
    """
    line = " ".join(text.split())
    if len(line) <= max_chars:
        return line
    found = _find(line, words)
    room = max_chars - 2
    start = min(max(0, found - int(room * _LEAD)), len(line) - room)
    end = start + room
    start, end = _to_blank(line, start, found, end=end)
    before = "…" if start else ""
    after = "…" if end < len(line) else ""
    return f"{before}{line[start:end].strip()}{after}"


def cut_around(text: str, words: Sequence[str], *, reach_chars: int) -> str:
    """The part of a long `text` that lies at most `reach_chars` from where `cut_excerpt` would look."""
    if len(text) <= 2 * reach_chars:
        return text
    found = _find(text, words)
    return text[max(0, found - reach_chars) : found + reach_chars]


def _find(text: str, words: Sequence[str]) -> int:
    """Where the first of the words stands, in whatever form; 0 if that cannot be seen."""
    folded = fold_text(text)
    places = list(range(len(text)))
    if len(folded) != len(text):
        folded, places = _fold_each(text)
    parts = [part[0] for word in words for part in _WORD_PART.finditer(word)]
    for shorter in (False, True):
        found = [at for part in parts if (at := _find_part(folded, part, shorter=shorter)) >= 0]
        if found:
            return places[min(found)]
    return 0


def _find_part(folded: str, part: str, *, shorter: bool) -> int:
    """Where a word begins with `part`, or with `shorter` with what its endings leave of it; -1 for nowhere."""
    if is_spaceless(part[0]):
        return folded.find(part)
    stem = part[: max(_STEM_LEAST, len(part) - _ENDING_MOST)] if shorter else part
    match = re.search(rf"(?<![^\W_]){re.escape(stem)}", folded)
    return match.start() if match is not None else -1


def _fold_each(text: str) -> tuple[str, list[int]]:
    """The folded text, and for each of its characters the place of the one it came from."""
    pieces: list[str] = []
    places: list[int] = []
    for place, char in enumerate(text):
        piece = fold_text(char)
        pieces.append(piece)
        places.extend([place] * len(piece))
    return "".join(pieces), places


def _to_blank(line: str, start: int, found: int, *, end: int) -> tuple[int, int]:
    """The bounds moved inwards to blanks, where the words next to them are not cut away whole by that."""
    if start:
        blank = line.find(" ", start, found)
        start = blank + 1 if blank >= 0 else start
    if end < len(line):
        blank = line.rfind(" ", found + 1, end)
        end = blank if blank >= 0 and blank > (found + end) // 2 else end
    return start, end
