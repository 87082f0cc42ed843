"""What a message says once the wrapping around it is taken off (CMD-2).

Channels and clients put things around what a person wrote: earlier messages of a group, a time in brackets, the
sender's name, a mention of the agent. None of it may hide a command. Only recognition uses the bare text; the
transcript keeps what was written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

__all__ = ["split_at_marker", "strip_wrapping"]

# Brackets end at the next one of either kind: a message full of opening ones must not cost the square of its length.
_MARKER: Final = re.compile(r"\[current message\b[^\[\]]{0,200}\]", re.IGNORECASE)
"""Ends the context that goes before a group message (TRANS-21)."""

_BRACKETS: Final = re.compile(r"\[[^\[\]]*\]")

# A name holds no slash, so that a command is never taken for one ("/new: hi"), and no mark that ends a sentence.
_LABEL: Final = re.compile(r"[^\s:/,;!?][^:/,;!?\n]{0,63}:")

_NUMERIC_MENTION: Final = re.compile(r"@\+?[0-9]{5,}")


def split_at_marker(text: str) -> tuple[str, str]:
    """What stands up to and including the last current-message marker, and what comes after it.

    The last one counts: a marker that somebody wrote into an earlier message must not make their words current.
    """
    end = 0
    for found in _MARKER.finditer(text):
        end = found.end()
    return text[:end], text[end:]


def strip_wrapping(text: str, *, is_group: bool = False, mention_patterns: Sequence[str] = ()) -> str:
    """The bare text in one line: no context, no brackets, no name in front, no mentions, single blanks (CMD-2, CMD-9).

    Mentions are removed in groups only. `mention_patterns` are regular expressions; invalid ones are skipped (ACT-5).
    """
    bare = _BRACKETS.sub("", split_at_marker(text)[1]).lstrip()
    label = _LABEL.match(bare)
    if label is not None:
        bare = bare[label.end() :]
    if is_group:
        for pattern in _compile(tuple(mention_patterns)):
            bare = pattern.sub(" ", bare)
        bare = _NUMERIC_MENTION.sub(" ", bare)
    return " ".join(bare.split())


@lru_cache(maxsize=64)
def _compile(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    found = []
    for pattern in patterns:
        try:
            found.append(re.compile(pattern, re.IGNORECASE))
        except re.error:
            continue
    return tuple(found)
