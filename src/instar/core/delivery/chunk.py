"""Text in pieces that a channel takes: no code fence left open, no character torn apart.

What belongs here: where to cut. What does not: how long a piece may be (the channel's capabilities) and how a platform
marks text up (its `render`).

Theory of operation. A piece is taken from the front of the text until nothing is left. From the places where it could
end, the best that fits wins: between paragraphs, between lines, inside a code block between lines, between words,
between characters as people see them. A place in the first half of the piece is passed over for a worse one further
on, or a long text would become a crowd of crumbs. Where a code block is cut, the piece closes it and the next one opens
it again with the same first line.

A character as people see it (a grapheme) is told with the categories of Unicode that the standard library knows: marks,
joiners, variation selectors, skin tones, flags, jamo. Conjuncts of Indic scripts may still be parted.

Blanks at a cut outside of code are lost; nothing else is. Each piece is within the limit, whatever the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from instar.errors import InvariantBroken

__all__ = ["LIMIT_MIN", "TextUnit", "measure_text", "split_text"]

TextUnit = Literal["characters", "utf16", "bytes"]
"""What a platform counts: code points (Discord), UTF-16 units (Telegram), UTF-8 bytes (IRC)."""

LIMIT_MIN: Final = 16
"""Shorter pieces hold no code fence and no four-byte emoji with its joiners; no platform is that short."""

_GRAPHEME_CHARS: Final = 64
"""How far back a cut looks for the edge of a character; more marks than that on one letter are an attack."""

_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})([^\n]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fence:
    """An open code block: its whole first line, and the marks that close it."""

    opener: str
    marks: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cut:
    """A place to cut: the piece ends at `end`, the rest begins at `start`; `fence` is open there.

    Lower `rank` is better.
    """

    end: int
    start: int
    rank: int
    fence: _Fence | None = None


def measure_text(text: str, unit: TextUnit = "characters") -> int:
    """How long a platform that counts `unit` takes `text` to be."""
    return len(text) if unit == "characters" else sum(map(_SIZE_OF[unit], text))


def split_text(text: str, *, limit: int, unit: TextUnit = "characters") -> tuple[str, ...]:
    """`text` in pieces of at most `limit` units, in order; empty for a text of nothing but blanks.

    Raises InvariantBroken for a limit below `LIMIT_MIN`.
    """
    if limit < LIMIT_MIN:
        raise InvariantBroken("a text limit is at least 16", why=f"a channel said {limit}")
    pieces: list[str] = []
    rest, fence = text, None
    while rest:
        head = _reopen(fence, limit, unit)
        room = limit - measure_text(head, unit)
        if _fit(rest, room, unit) == len(rest):
            pieces.append(head + rest)
            break
        cut = _find_cut(rest, fence if head else None, room=room, unit=unit)
        body = rest[: cut.end]
        if cut.fence is not None:
            body += _close(cut.fence, body)
        pieces.append(head + (body if cut.fence is not None or head else body.rstrip()))
        rest, fence = _skip_closing(rest[cut.start :], cut.fence)
    return tuple(piece for piece in pieces if piece.strip())


# --- where to cut -----------------------------------------------------------------------------------------------------


def _find_cut(text: str, fence: _Fence | None, *, room: int, unit: TextUnit) -> _Cut:
    """The best place to end a piece of at most `room` units at the front of `text`, which is longer than that."""
    fits = _fit(text, room, unit)
    lines = [cut for cut in _line_cuts(text, fence, fits) if _ends_within(cut, text, room, unit)]
    late = [cut for cut in lines if cut.end * 2 >= fits]
    if late:
        return min(late, key=lambda cut: (cut.rank, -cut.end))
    words = _word_cut(text, fence, fits, room=room, unit=unit)
    if words.rank < _RANK_CHARACTER or not lines:
        return words
    return max(lines, key=lambda cut: cut.end)


_RANK_PARAGRAPH, _RANK_LINE, _RANK_CODE_LINE, _RANK_WORD, _RANK_CHARACTER = range(5)


def _line_cuts(text: str, fence: _Fence | None, fits: int) -> Iterator[_Cut]:
    """Every line break within the first `fits` characters as a place to cut, in order.

    A piece must say something before it ends, and so must the code in it: the first line of a block is no place.
    """
    start = inside = 0
    while (end := text.find("\n", start, fits + 1)) >= 0:
        was_open = fence is not None
        fence = _next_fence(text[start:end], fence)
        if fence is not None and not was_open:
            inside = end
        says_something = bool(text[inside if fence is not None else 0 : end].strip())
        if fence is not None and says_something:
            yield _Cut(end=end, start=end + 1, rank=_RANK_CODE_LINE, fence=fence)
        elif fence is None and says_something:
            is_paragraph = text.startswith(("\n", "```", "~~~"), end + 1)
            rank = _RANK_PARAGRAPH if is_paragraph else _RANK_LINE
            yield _Cut(end=end, start=_skip_blank_lines(text, end), rank=rank)
        start = end + 1


def _word_cut(text: str, fence: _Fence | None, fits: int, *, room: int, unit: TextUnit) -> _Cut:
    """The last blank, else the last edge of a character, that leaves room to close a code block that is open there."""
    open_fence = _fence_at(text, fence, fits)
    if open_fence is not None and len(open_fence.marks) + 1 <= room // 2:
        fits = _fit(text, room - len(open_fence.marks) - 1, unit)
        open_fence = _fence_at(text, fence, fits)
    else:
        open_fence = None
    end = _character_edge(text, fits)
    line = text.rfind("\n", 0, end) + 1
    if line > 0 and _FENCE.match(text, line):
        # Half a fence is none: leave the whole line to the next piece.
        return _Cut(end=line - 1, start=line, rank=_RANK_LINE, fence=open_fence)
    if open_fence is not None:
        start = end + 1 if text.startswith("\n", end) else end
        return _Cut(end=end, start=start, rank=_RANK_CHARACTER, fence=open_fence)
    blank = next((at for at in range(end, end // 2, -1) if text[at : at + 1].isspace()), None)
    if blank is not None and text[:blank].strip():
        return _Cut(end=blank, start=len(text) - len(text[blank:].lstrip(" \t")), rank=_RANK_WORD)
    return _Cut(end=end, start=end, rank=_RANK_CHARACTER)


def _ends_within(cut: _Cut, text: str, room: int, unit: TextUnit) -> bool:
    if cut.fence is None:
        return True
    body = text[: cut.end]
    return measure_text(body + _close(cut.fence, body), unit) <= room


def _skip_blank_lines(text: str, at: int) -> int:
    while text.startswith("\n", at):
        at += 1
    return at


# --- code fences ------------------------------------------------------------------------------------------------------


def _fence_at(text: str, fence: _Fence | None, end: int) -> _Fence | None:
    """The code block that is open at `end`, in the middle of a line."""
    start = 0
    while (at := text.find("\n", start, end)) >= 0:
        fence = _next_fence(text[start:at], fence)
        start = at + 1
    return fence


def _next_fence(line: str, fence: _Fence | None) -> _Fence | None:
    """The code block that is open after `line`."""
    match = _FENCE.fullmatch(line.rstrip("\r"))
    if match is None:
        return fence
    marks, info = match[1], match[2]
    if fence is not None:
        closes = marks[0] == fence.marks[0] and len(marks) >= len(fence.marks) and not info.strip()
        return None if closes else fence
    is_inline = marks[0] == "`" and "`" in info
    return None if is_inline else _Fence(opener=line.strip(), marks=marks)


def _skip_closing(text: str, fence: _Fence | None) -> tuple[str, _Fence | None]:
    """The rest of a text that was cut in `fence`, without a first line that only closes it: the piece before did."""
    line, newline, rest = text.partition("\n")
    if fence is None or not newline or _next_fence(line, fence) is not None:
        return text, fence
    return rest, None


def _reopen(fence: _Fence | None, limit: int, unit: TextUnit) -> str:
    """The first line of a piece that goes on with a code block; without its language where that would fill the piece.

    Empty where even the marks would: then the block is cut like other text.
    """
    if fence is None:
        return ""
    for opener in (fence.opener, fence.marks):
        head = f"{opener}\n"
        if measure_text(head, unit) + len(fence.marks) + 1 <= limit // 2:
            return head
    return ""


def _close(fence: _Fence, body: str) -> str:
    return fence.marks if body.endswith("\n") else f"\n{fence.marks}"


# --- characters -------------------------------------------------------------------------------------------------------

_SIZE_OF: Final[Mapping[TextUnit, Callable[[str], int]]] = {
    "characters": lambda _character: 1,
    "utf16": lambda character: 2 if character > "\uffff" else 1,
    "bytes": lambda character: len(character.encode("utf-8", "surrogatepass")),
}


def _fit(text: str, room: int, unit: TextUnit) -> int:
    """How many code points from the front of `text` take at most `room` units."""
    if unit == "characters":
        return min(len(text), max(room, 0))
    size_of = _SIZE_OF[unit]
    used = 0
    for at, character in enumerate(text):
        used += size_of(character)
        if used > room:
            return at
    return len(text)


def _character_edge(text: str, at: int) -> int:
    """The last edge of a character not after `at`, but at least one code point; `at` itself in a heap of marks."""
    for edge in range(at, max(0, at - _GRAPHEME_CHARS), -1):
        if _is_edge(text, edge):
            return edge
    return max(at, 1)


def _is_edge(text: str, at: int) -> bool:
    """Whether a reader sees two characters parted at `at`, a place inside the text."""
    left, right = text[at - 1], text[at]
    if left == "\u200d" or _extends(right) or (left, right) == ("\r", "\n"):
        return False
    if "\ud800" <= left <= "\udbff" and "\udc00" <= right <= "\udfff":
        return False
    if _is_flag_letter(left) and _is_flag_letter(right):
        before = 0
        while before < at and _is_flag_letter(text[at - 1 - before]):
            before += 1
        return before % 2 == 0
    return True


def _extends(character: str) -> bool:
    """Whether it belongs to the character before it: marks, joiners, skin tones, tags, vowels and finals of jamo."""
    return (
        unicodedata.category(character).startswith("M")
        or character in {"\u200c", "\u200d"}
        or "\U0001f3fb" <= character <= "\U0001f3ff"
        or "\U000e0020" <= character <= "\U000e007f"
        or "\u1160" <= character <= "\u11ff"
    )


def _is_flag_letter(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
