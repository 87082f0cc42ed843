"""Instants as ISO 8601 text, as transcript lines, archive names and exports write them (TRANS-2, COMPAT-9), and what
lasts from one to another on a clock that can be set.

The canonical spelling is UTC with milliseconds and a ``Z``: ``2026-03-10T12:00:00.000Z``. Other spellings are read;
only the canonical one is written.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from instar.core.model.ids import Instant

__all__ = ["CLOCK_SLACK_MS", "format_iso", "holds_at", "is_canonical_iso", "parse_iso", "read_instant"]

CLOCK_SLACK_MS = 60_000
"""How far a time server moves a clock in one step without anybody having set it: seconds, not minutes."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO_YEARS_MS = range(-62_135_596_800_000, 253_402_300_800_000)
"""The years 1 to 9999."""

_MILLISECOND = timedelta(milliseconds=1)

# Hour 24 is kept out: some Python versions read it as the next day, and it would then be written differently.
_CANONICAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")


def holds_at(now: Instant, *, since: Instant, until: Instant) -> bool:
    """Whether what holds from one moment to before another one holds at `now`.

    What began in the future, by more than a clock is moved in passing, began before the clock was set back. Nobody
    can say how long ago that was, and it would last longer by as much: it is over.
    """
    return since - CLOCK_SLACK_MS <= now < until


def format_iso(at: Instant) -> str:
    """The canonical spelling of `at`. Raises OverflowError outside the years 1 to 9999."""
    return (_EPOCH + timedelta(milliseconds=at)).isoformat(timespec="milliseconds")[:-6] + "Z"


def parse_iso(text: str) -> Instant | None:
    """The instant that `text` names, None if it is no ISO 8601 time.

    A text without a zone is UTC; what is finer than a millisecond is cut off.
    """
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return Instant((moment - _EPOCH) // _MILLISECOND)
    except (ValueError, OverflowError):
        return None


def read_instant(value: object) -> Instant | None:
    """`value` if it is a whole number of milliseconds that ISO text can say, else None: for numbers from outside."""
    return Instant(value) if type(value) is int and value in _ISO_YEARS_MS else None


def is_canonical_iso(text: str) -> bool:
    """Whether `format_iso(parse_iso(text))` gives `text` again, for a text that `parse_iso` can read."""
    return _CANONICAL.fullmatch(text) is not None
