"""Sentences about what the model gets to see: pruning, compaction, memory flush, limits of the history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from instar.core.explain.facts import Facts
from instar.core.explain.living import tell_plainly

__all__ = ["tell_compaction", "tell_flush", "tell_limit", "tell_pruning"]

_REASONS: Final[Mapping[str, str]] = {
    "threshold": "the window was nearly full",
    "overflow": "the provider found the prompt too large",
    "bytes": "the transcript was over its limit in bytes",
    "manual": "somebody asked for it",
    "limits": "the history was over the limit that is set for it",
}
"""Why a compaction was tried, by the reason that its decision holds."""

_COMPACTIONS: Final[Mapping[str, str]] = {
    "failed": "The older part of the conversation could not be put into a summary; nothing was changed",
    "not-smaller": "A summary was not stored: it would not have made the context smaller",
    "empty": "There was nothing to summarise yet",
    "already-compacted": "Nothing was summarised: nothing was said since the last summary",
    "nothing-to-summarise": "Nothing was summarised: all that was said is recent enough to be kept word for word",
    "undone": "The newest summary was taken back",
    "kept-lines": "Only the last lines are shown to the model now; the transcript keeps all",
}

_FLUSHES: Final[Mapping[str, str]] = {
    "flushed": "What matters was written down before the conversation is summarised",
    "failed": "Nothing could be written down before the conversation is summarised",
    "stopped": "Writing down what matters was stopped",
}


def tell_pruning(facts: Facts) -> str:
    """What of old tool results the model no longer saw."""
    before, after = facts.number("charsBefore"), facts.number("charsAfter")
    if facts.outcome != "changed" or before is None or after is None:
        return tell_plainly(facts)
    counts = ((facts.number("softTrimmed") or 0, "shortened"), (facts.number("hardCleared") or 0, "cleared"))
    done = " and ".join(f"{count} {word}" for count, word in counts if count)
    return f"Old tool results were trimmed in what the model saw: {done}; {before} → {after} characters."


def tell_compaction(facts: Facts) -> str:
    """What became of the older part of a conversation, and why it was looked at."""
    why = _REASONS.get(facts.word("reason"))
    since = f", since {why}" if why else ""
    before, after = facts.number("tokensBefore"), facts.number("tokensAfter")
    if facts.outcome == "compacted":
        sizes = "" if before is None or after is None else f": {before} → {after} tokens"
        return f"The older part of the conversation was put into a summary{since}{sizes}."
    sentence = _COMPACTIONS.get(facts.outcome)
    if sentence is None:
        return tell_plainly(facts)
    until = facts.moment("again_at")
    again = f"; it is tried again from {until} on" if until else ""
    return f"{sentence}{f' ({why})' if why else ''}{again}."


def tell_flush(facts: Facts) -> str:
    """Whether the agent was given a silent turn for its notes."""
    if facts.outcome == "flush":
        used, threshold = facts.number("totalTokens"), facts.number("threshold")
        sizes = "" if used is None or threshold is None else f" ({used} tokens, notes are due from {threshold} on)"
        return f"The agent was asked to write down what matters: a summary is near{sizes}."
    if facts.outcome == "flushed" and facts.number("notes") == 0:
        return "Nothing had to be written down before the conversation is summarised."
    sentence = _FLUSHES.get(facts.outcome)
    return tell_plainly(facts) if sentence is None else f"{sentence}."


def tell_limit(facts: Facts) -> str:
    """What a limit kept from the model."""
    budget = facts.number("budgetTokens")
    if facts.outcome == "truncated" and budget is not None:
        return f"The model saw only the newest part of the conversation: the window has {budget} tokens for it."
    left_out, of = facts.number("leftOut"), facts.number("messages")
    if facts.outcome == "left-out" and left_out is not None and of is not None:
        return f"{left_out} of {of} messages were not shown to the model: a limit on the history is set."
    return tell_plainly(facts)
