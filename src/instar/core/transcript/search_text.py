"""What a search finds: the words of an entry as the index keeps them, and a person's query for that index (SEARCH-*).

What belongs here: which words are indexed and in which form. What does not: the index itself (`stores.search`) and
how a hit is shown (`excerpt`).

Theory of operation. Text and query go through the same folding: compatibility forms become plain ones, case and
accents go. The index splits words at everything that is no letter, digit or mark. Scripts that write no blanks between
words (Chinese, Japanese, Korean, Thai, …) would then be one word a sentence, so a run of such characters is cut into
overlapping pairs, followed by its single characters::

    "in 北京烤鸭 style"  ─▶  "in 北京 京烤 烤鸭 北 京 烤 鸭 style"

A query of two or more such characters asks for its pairs side by side (``"北京 京烤"``), one of a single character for
that character. The pairs stand before the singles, so that pairs of two runs are never side by side. Both engines
index this text with tokenizers of their own, so neither needs code in its connections.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from instar.core.model.entry import AnyEntry, AssistantMessage, MessageEntry, UserMessage
from instar.core.transcript.text import message_text

__all__ = [
    "QUERY_WORDS_MAX",
    "WORDS_VERSION",
    "build_search_query",
    "fold_text",
    "indexed_text",
    "is_spaceless",
    "search_role",
    "search_words",
    "split_query",
]

QUERY_WORDS_MAX: Final = 32
"""Words of a query that count; nobody remembers more of a message."""

WORDS_VERSION: Final = f"1/{unicodedata.unidata_version}"
"""Changes whenever `search_words` gives another text for some entry: an index made by another one is built anew."""

_SPACELESS: Final = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f"  # Myanmar
    "\u1100-\u11ff"  # Hangul, single sounds
    "\u1780-\u17ff"  # Khmer
    "\u3005-\u3007"  # signs that stand for characters
    "\u3041-\u3096\u309d-\u309f"  # Hiragana
    "\u30a1-\u30fa\u30fc-\u30ff"  # Katakana, without the dot between names
    "\u3100-\u318f"  # Bopomofo, Hangul for compatibility
    "\u31a0-\u31ff"
    "\u3400-\u4dbf"
    "\u4e00-\u9fff"
    "\uac00-\ud7af"  # Hangul
    "\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_RUN: Final = re.compile(f"[{_SPACELESS}]+")
_SPACELESS_ONLY: Final = re.compile(f"[{_SPACELESS}]")

_ACCENTS: Final = dict.fromkeys(range(0x300, 0x370))
"""The accents of Latin, Greek and Cyrillic. Marks of other scripts are part of their letters (が is not か)."""

_STROKES: Final = str.maketrans("đħ\u0131łøŧ", "dhilot")
"""Letters with a stroke, which Unicode does not take apart."""


def indexed_text(entry: AnyEntry) -> str:
    """The words of an entry that a search may find: those of a person and of the agent (SEARCH-1, SEARCH-3).

    Empty for everything else: tool results, summaries, notices, and messages of images or thinking alone.
    """
    return message_text(entry.message) if isinstance(entry, MessageEntry) and search_role(entry) else ""


def search_role(entry: AnyEntry) -> str:
    """Who speaks in an entry that is indexed, ``user`` or ``assistant``; empty for one that is not."""
    if isinstance(entry, MessageEntry):
        if isinstance(entry.message, UserMessage):
            return "user"
        if isinstance(entry.message, AssistantMessage):
            return "assistant"
    return ""


def fold_text(text: str) -> str:
    """`text` without what a search ignores: case, accents, and the difference of wide and narrow forms (SEARCH-2)."""
    if text.isascii():
        return text.lower()
    bare = unicodedata.normalize("NFKD", text).translate(_ACCENTS)
    return unicodedata.normalize("NFKC", bare).casefold().translate(_STROKES)


def search_words(text: str) -> str:
    """The form in which the index keeps a text; empty for one without a word."""
    folded = fold_text(text)
    if folded.isascii():
        return folded if any(char.isalnum() for char in folded) else ""
    spread = _RUN.sub(_spread, folded)
    return spread if any(char.isalnum() for char in spread) else ""


def split_query(text: str) -> tuple[str, ...]:
    """The words of a query, folded, each once, in order; a query is plain words, no sign in it is an operator."""
    words = (word for word in fold_text(text).replace("\0", " ").split() if any(char.isalnum() for char in word))
    return tuple(dict.fromkeys(words))[:QUERY_WORDS_MAX]


def build_search_query(text: str) -> str | None:
    """The query for the full-text index: all words must occur in one message (SEARCH-2). None for one without words.

    In the language of SQLite's FTS5: each word is a string in double quotes, so that nothing in it is an operator.
    """
    phrases = [phrase for word in split_query(text) for phrase in _phrases(word)]
    return " ".join(f'"{phrase}"' for phrase in dict.fromkeys(phrases)) or None


def is_spaceless(char: str) -> bool:
    """Whether a character belongs to a script that writes no blanks between words."""
    return _SPACELESS_ONLY.match(char) is not None


def _phrases(word: str) -> list[str]:
    """What must stand side by side for a word to be there: its plain parts, and the pairs of its runs."""
    phrases, at = [], 0
    for run in _RUN.finditer(word):
        phrases.append(word[at : run.start()])
        phrases.append(" ".join(_pairs(run[0]) or run[0]))
        at = run.end()
    phrases.append(word[at:])
    # A double quote is no letter, so nothing is lost with it; inside the string it would have to be doubled.
    return [plain for phrase in phrases if any(map(str.isalnum, plain := phrase.replace('"', " ")))]


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)]


def _spread(match: re.Match[str]) -> str:
    """A run as its pairs and its single characters, apart from the words around it."""
    return f" {' '.join([*_pairs(match[0]), *match[0]])} "
