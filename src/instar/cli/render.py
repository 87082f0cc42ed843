"""Rows of the wire as text for people: tables, ages, percents (CLI-23…25, STATUS-4). Pure.

Tables are drawn here in thirty lines, because the library for it takes longer to import than a whole command may last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from instar.cli.terminal import clean, paint

__all__ = [
    "KEY_CHARS",
    "cut_middle",
    "format_age",
    "format_count",
    "format_flags",
    "format_moment",
    "format_overrides",
    "format_span",
    "format_usage",
    "list_columns",
    "pad",
    "render_facts",
    "render_table",
    "text_width",
]

KEY_CHARS: Final = 26
"""The widest a key is shown in a table (CLI-23)."""

Row = Mapping[str, Any]
"""A row of the wire. Any: JSON, described in `docs/reference/protocol.md`."""

_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86_400

_FLAGS: Final = (
    ("thinkingLevel", "think"),
    ("verboseLevel", "verbose"),
    ("reasoningLevel", "reasoning"),
    ("elevatedLevel", "elev"),
    ("responseUsage", "usage"),
    ("groupActivation", "activation"),
)


def format_age(age_ms: float | None) -> str:
    """How long ago: ``just now``, ``5m ago``, ``3h ago``, ``2d ago``; ``unknown`` if nobody knows (CLI-24)."""
    if age_ms is None:
        return "unknown"
    seconds = max(0, age_ms) / 1000
    if seconds < _MINUTE:
        return "just now"
    if seconds < 60 * _MINUTE:
        return f"{int(seconds // _MINUTE)}m ago"
    if seconds < 48 * _HOUR:
        return f"{int(seconds // _HOUR)}h ago"
    return f"{int(seconds // _DAY)}d ago"


def format_span(span_ms: float) -> str:
    """A length of time in its largest whole unit: ``3 h``, ``2 d``."""
    seconds = int(max(0, span_ms) // 1000)
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def format_count(count: float | None) -> str:
    """A number of tokens: ``950``, ``1.2k``, ``35k``, ``1.5m``; ``?`` if nobody knows (STATUS-4)."""
    if count is None:
        return "?"
    if count < 1000:
        return str(int(count))
    if count < 9_950:
        return f"{count / 1000:.1f}k"
    return f"{count / 1000:.0f}k" if count < 999_500 else f"{count / 1_000_000:.1f}m"


def format_usage(used: float | None, window: float | None) -> str:
    """Tokens in the window, its size, and the share of it, at most 999 percent (CLI-25)."""
    if not used and not window:
        return "-"
    if not window:
        return f"{format_count(used or 0)}/?"
    if used is None:
        return f"?/{format_count(window)}"
    percent = min(999, round(100 * used / window))
    return f"{format_count(used)}/{format_count(window)} ({percent}%)"


def format_overrides(row: Row) -> str:
    """What was set for a session, in words: ``think:high usage:tokens``."""
    return " ".join(f"{short}:{row[name]}" for name, short in _FLAGS if row.get(name))


def format_flags(row: Row) -> str:
    """What a session has of its own, in words (CLI-23)."""
    flags = ["incognito"] if row.get("incognito") else []
    flags += [format_overrides(row)] if format_overrides(row) else []
    flags += ["system"] if row.get("systemSent") else []
    flags += ["aborted"] if row.get("abortedLastRun") else []
    flags += [f"id:{row['sessionId'][:8]}"] if row.get("sessionId") else []
    return " ".join(flags)


def format_moment(at: float | None) -> str:
    """An instant as local date and time, ``2026-03-09 22:14``; empty if nobody knows."""
    if at is None:
        return ""
    from datetime import UTC, datetime, timedelta

    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)
        return f"{moment.astimezone():%Y-%m-%d %H:%M}"
    except (OverflowError, ValueError):
        return str(at)


def cut_middle(text: str, width: int) -> str:
    """`text` in at most so many characters: what is too much is taken out of the middle."""
    if len(text) <= width:
        return text
    head = width // 2
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"


def list_columns(row: Row, *, defaults: Row, now: int, is_whole: bool = False) -> tuple[str, ...]:
    """A session as one line of the list (CLI-23); `is_whole` gives the whole key, and the title as a last column."""
    updated_at, key = row.get("updatedAt"), clean(str(row.get("key", "")))
    columns = (
        str(row.get("kind", "")),
        key if is_whole else cut_middle(key, KEY_CHARS),
        format_age(None if updated_at is None else now - updated_at),
        clean(str(row.get("model") or defaults.get("model") or "-")),
        format_usage(row.get("totalTokens"), row.get("contextTokens") or defaults.get("contextTokens")),
        clean(format_flags(row)),
    )
    return (*columns, clean(str(row.get("derivedTitle") or ""))) if is_whole else columns


# --- tables -----------------------------------------------------------------------------------------------------------


def render_table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, colour: bool = False) -> str:
    """A table with a line of heads; columns are as wide as their widest cell, the last one is not filled up."""
    cells = [list(heads), *(list(row) for row in rows)]
    widths = [max(text_width(cell) for cell in column) for column in zip(*cells, strict=True)]
    lines = ["  ".join(map(pad, row, widths)).rstrip() for row in cells]
    return "\n".join([paint(lines[0], "bold", on=colour), *lines[1:]])


def render_facts(facts: Iterable[tuple[str, str]], *, colour: bool = False) -> str:
    """Names and values below each other; a fact without a value is left out."""
    told = [(name, value) for name, value in facts if value]
    width = max((text_width(name) for name, _ in told), default=0) + 1
    return "\n".join(f"{paint(pad(f'{name}:', width), 'dim', on=colour)} {value}" for name, value in told)


def pad(text: str, width: int) -> str:
    """`text` filled up with blanks to a width on the screen."""
    return text + " " * (width - text_width(text))


def text_width(text: str) -> int:
    """How many columns of a terminal `text` takes: some characters take two, some none."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
