"""What people are told of a compaction: the answer to `/compact`, and the notices of automatic ones (COMPACT-20, -23).

Whoever has set `/verbose` hears of its beginning and its end; with `compaction.notifyUser` everybody hears of its end.
"""

from __future__ import annotations

from typing import Final

from instar.core.context.outcome import Compacted
from instar.core.explain.status import format_count

__all__ = ["build_end_notice", "build_start_notice", "describe_outcome"]

_DONE: Final = ("Compacted", "The compaction failed", "Nothing to compact")
_UNDONE: Final = ("The newest summary is taken back", "The summary stays", "Nothing to undo")
"""What is said of what was asked for: it was done, it failed, there was nothing to do."""


def describe_outcome(outcome: Compacted, *, undo: bool = False) -> str:
    """What the person who asked is told: what became of it, or of taking one back, and how full the window is."""
    done, failed, nothing = _UNDONE if undo else _DONE
    if outcome.status == "compacted":
        return f"{done}: {_sizes(outcome)}."
    return f"{failed if outcome.status == 'failed' else nothing}: {outcome.why}{_fullness(outcome)}"


def build_start_notice(verbose_level: str | None, *, count: int) -> str | None:
    """The line at the beginning of an automatic compaction, None for who wants none. `count` were made before."""
    if not _is_verbose(verbose_level):
        return None
    return f"(Compaction {count + 1}: the older part of this conversation is being summarised.)"


def build_end_notice(outcome: Compacted, verbose_level: str | None, *, notify_user: bool) -> str | None:
    """The line at its end, None where nobody wants one or nothing was tried."""
    if outcome.status not in {"compacted", "failed"}:
        return None
    if outcome.status == "compacted" and _is_verbose(verbose_level):
        return f"(Compaction {outcome.count} is done: {_sizes(outcome)}.)"
    if not notify_user and not _is_verbose(verbose_level):
        return None
    if outcome.status == "compacted":
        return "(The older part of this conversation was put into a summary; nothing is lost.)"
    return f"(The older part of this conversation could not be summarised: {outcome.why})"


def _is_verbose(level: str | None) -> bool:
    return level in {"on", "full"}


def _sizes(outcome: Compacted) -> str:
    sizes = f"{format_count(outcome.tokens_before)} → {format_count(outcome.tokens_after)} tokens in the window"
    if not outcome.window_tokens:
        return sizes
    percent = round(100 * outcome.tokens_after / outcome.window_tokens)
    return f"{sizes}, {percent}% of {format_count(outcome.window_tokens)}"


def _fullness(outcome: Compacted) -> str:
    """How full the window is where nothing became of it; empty where it holds nothing yet."""
    if not outcome.tokens_before:
        return ""
    used = f" In the window: {format_count(outcome.tokens_before)}"
    if not outcome.window_tokens:
        return f"{used} tokens."
    percent = round(100 * outcome.tokens_before / outcome.window_tokens)
    return f"{used} of {format_count(outcome.window_tokens)} tokens ({percent}%)."
