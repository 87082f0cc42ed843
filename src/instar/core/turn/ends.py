"""How messages end, and the last line of a turn that did not go well (LOSS-2)."""

from __future__ import annotations

from collections.abc import Sequence

from instar.core.model.change import InboxChange, InboxItem
from instar.core.model.entry import ZERO_USAGE, AssistantMessage, TextBlock
from instar.core.model.ids import EntryId, Instant, TurnId
from instar.core.turn.recover import build_given_reason

__all__ = [
    "INTERNAL_PROVIDER",
    "build_aborted_message",
    "build_error_message",
    "build_expiry_notice",
    "plan_ends",
    "plan_given",
]

INTERNAL_PROVIDER = "instar"
"""The provider of lines that no model wrote."""

_EXPIRY_REASONS = {
    "queue_cap": "too many messages were waiting",
    "interrupted": "a newer message took its place",
    "aborted": "it was stopped",
    "stopped": "it was stopped",
    "reset": "the session was reset",
    "deleted": "the session was deleted",
    "internal": "something went wrong inside the gateway, and its log says more",
}


def plan_ends(items: Sequence[InboxItem], turn_id: TurnId, *, reason: str | None = None) -> tuple[InboxChange, ...]:
    """The ends of the messages that one turn answered: the first is ``answered``, the rest ``merged`` into it.

    `reason` says how an answer that is no plain answer came about (an abort, a model error); None for a plain one.
    """
    first, *rest = items
    return (
        InboxChange(inbound_id=first.inbound_id, state="answered", turn_id=turn_id, reason=reason),
        *(InboxChange(inbound_id=item.inbound_id, state="merged", turn_id=turn_id, reason=reason) for item in rest),
    )


def plan_given(items: Sequence[InboxItem], turn_id: TurnId, entry_id: EntryId) -> tuple[InboxChange, ...]:
    """The note that a turn has answered and goes on with what steers it: cut off now, it asks no model for it again."""
    reason = build_given_reason(entry_id)
    return tuple(
        InboxChange(inbound_id=item.inbound_id, state="running", turn_id=turn_id, reason=reason) for item in items[:1]
    )


def build_aborted_message(partial: str, *, now: Instant) -> AssistantMessage:
    """What was said before somebody stopped the turn, marked ``aborted``; it may hold no text at all."""
    return _line(partial, stop_reason="aborted", error_message=None, now=now)


def build_error_message(sentence: str, *, partial: str, now: Instant) -> AssistantMessage:
    """A failed answer: what had been said, and the failure as `errorMessage` (TRANS-6)."""
    return _line(partial, stop_reason="error", error_message=sentence, now=now)


def build_expiry_notice(texts: Sequence[str], reason: str) -> str:
    """The sentence for the sender of messages that will get no turn (LOSS-2); quotes the beginning of each."""
    why = _EXPIRY_REASONS.get(reason, reason)
    quotes = [_quote(text) for text in texts]
    if len(quotes) == 1:
        return f"Your message {quotes[0]} was not answered: {why}."
    return "\n".join([f"{len(quotes)} of your messages were not answered: {why}.", *quotes])


def _quote(text: str) -> str:
    line = " ".join(text.split())
    return f"“{line if len(line) <= 60 else line[:59].rstrip() + '…'}”"


def _line(text: str, *, stop_reason: str, error_message: str | None, now: Instant) -> AssistantMessage:
    return AssistantMessage(
        content=(TextBlock(text=text),) if text else (),
        api=INTERNAL_PROVIDER,
        provider=INTERNAL_PROVIDER,
        model=INTERNAL_PROVIDER,
        usage=ZERO_USAGE,
        stop_reason=stop_reason,
        error_message=error_message,
        timestamp=now,
    )
