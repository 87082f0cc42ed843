"""What may stand in one part of a session key: ids that cannot pretend to be grammar.

Ids come from strangers. A group called ``x:thread:2`` must not land in thread 2 of group ``x``; an id with
a zero-width space, a NUL or a right-to-left mark must neither look like another nor break a terminal; an
id of 10,000 characters must fit an index. So an id is written into a key like this:

- Invisible characters become ``%xx`` per UTF-8 byte, in lower case. They are not dropped: dropping would
  merge two ids.
- ``:`` stays, since Matrix ids need it (KEY-16), except where it would make grammar: after a ``thread`` or
  ``topic`` segment, and where an empty or blank segment would arise, which canonical keys lose (KEY-1). There it is
  written ``%3a``.
- ``%`` stays, except where it would read as one of these escapes; there it is written ``%25``.
- ``%~`` cannot come out of the rules above. It marks what needs more: a whole word that would be grammar
  (``%~cron``), and the cut in an id of more than 256 bytes, followed by the SHA-256 of the whole.

Each step can be undone or is told apart by a hash, so two ids that differ after normalisation never give
the same text. Ordinary ids of every known platform come out as they went in.
"""

from __future__ import annotations

import re
from collections.abc import Container
from hashlib import sha256
from itertools import pairwise
from typing import Final

__all__ = ["MARKERS", "escape_id", "escape_invisible", "escape_word", "mark_word"]

MARKERS: Final = ("thread", "topic")
"""Segments that, followed by another, begin the thread part of a key (KEY-16)."""

_ID_MAX_BYTES: Final = 256
"""Matrix allows ids of 255 bytes, e-mail addresses have 254; nothing real is longer. Two of these, with
agent, channel and account, stay below the 2,704 bytes that a PostgreSQL index can hold."""

_ID_KEPT_CHARS: Final = 128
"""What stays readable of an id that is cut."""

_MARK: Final = "%~"

# C0 and C1 controls, blanks that are not ASCII, format and direction marks, separators, surrogates, tags.
# A fixed list and not Unicode categories: those grow with each Python, and a key must not change with it.
_INVISIBLE: Final = (
    "\x00-\x1f\x7f-\xa0\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f"
    "\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff"
    "\U000e0000-\U000e0fff"
)
_ANY_INVISIBLE: Final = re.compile(f"[{_INVISIBLE}]")
_ANY_UNSAFE: Final = re.compile(f"%(?=[0-9a-f]{{2}}|~)|[{_INVISIBLE}]")


def escape_id(text: str) -> str:
    """`text`, an id in its normal spelling, as it stands in a key: ``:`` is kept where it is no grammar."""
    if text.isascii() and text.isprintable() and ":" not in text and "%" not in text:
        return text if len(text) <= _ID_MAX_BYTES else _cut(text, text)
    safe = _escape_colons(_ANY_UNSAFE.sub(_escape_found, text))
    too_long = len(safe) > _ID_MAX_BYTES or len(safe.encode()) > _ID_MAX_BYTES
    return _cut(safe, text) if too_long else safe


def escape_word(text: str, *, reserved: Container[str]) -> str:
    """`text` as one single segment: no ``:`` is left, and a word that is `reserved` is marked.

    For names that stand before the id: channels, accounts, and the names of linked people.
    """
    word = escape_id(text).replace(":", "%3a")
    return mark_word(word) if word in reserved else word


def mark_word(word: str) -> str:
    """`word` marked as a name of its own, equal to no id and to no word of the grammar."""
    return f"{_MARK}{word}"


def escape_invisible(text: str) -> str:
    """`text` with its invisible characters made visible and nothing else changed.

    For whole keys that somebody typed: their ``:`` and ``%`` are meant as they stand.
    """
    if text.isascii() and text.isprintable():
        return text
    return _ANY_INVISIBLE.sub(_escape_found, text)


def _escape_found(found: re.Match[str]) -> str:
    # surrogatepass: half a surrogate pair cannot be stored as UTF-8, but its three bytes can be named.
    return "".join(f"%{byte:02x}" for byte in found[0].encode("utf-8", "surrogatepass"))


def _escape_colons(text: str) -> str:
    parts = text.split(":")
    out = parts[0]
    for left, right in pairwise(parts):
        is_plain = left.strip() and right.strip() and left not in MARKERS
        out += f":{right}" if is_plain else f"%3a{right}"
    return out


def _cut(safe: str, whole: str) -> str:
    digest = sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{safe[:_ID_KEPT_CHARS]}{_MARK}{digest}"
