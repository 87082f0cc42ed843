"""The token by which an agent says that it has nothing to say (FLUSH-6, ACT-8)."""

from __future__ import annotations

import string
import unicodedata
from typing import Final

__all__ = ["SILENCE", "could_become_silent", "is_silent"]

SILENCE: Final = "NO_REPLY"


def is_silent(text: str) -> bool:
    """Whether a whole answer is the token; case is ignored, blanks and punctuation around it are allowed.

    The token inside other words is an ordinary answer and is delivered.
    """
    end = len(text)
    while end and _is_around(text[end - 1]):
        end -= 1
    return _without_start(text[:end]).upper() == SILENCE


def could_become_silent(prefix: str) -> bool:
    """Whether an answer that begins like this must be held back, since it may yet turn out to be the token.

    True while the beginning may still grow into the token, and from there on: a draft that begins with the token is
    shown only when the whole answer is there and says more.
    """
    start = _without_start(prefix).upper()
    return SILENCE.startswith(start) or start.startswith(SILENCE)


def _without_start(text: str) -> str:
    start = 0
    while start < len(text) and _is_around(text[start]):
        start += 1
    return text[start:]


def _is_around(char: str) -> bool:
    """Whether a character may stand around the token: a blank, or punctuation of any script."""
    return char.isspace() or char in string.punctuation or unicodedata.category(char).startswith("P")
