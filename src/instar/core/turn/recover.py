"""How an interrupted turn goes on (LOSS-4).

A tool call that was committed and has no result was running when the process died. Nobody knows what it did, so it
is never run again: it gets a result that says so, and the model decides what to make of it. A turn whose answer was
committed, and which died before it could take a steered message, is not asked again.

Both questions look at the newest lines only. Lines that nobody asked a model for (injected text, marks) may stand
among them and are passed over.
"""

from __future__ import annotations

from collections.abc import Sequence

from instar.core.model.change import InboxItem, Noted, SessionChange, SessionFacts
from instar.core.model.decision import Decision
from instar.core.model.entry import (
    AnyEntry,
    AssistantMessage,
    CustomMessageEntry,
    MessageEntry,
    ToolCall,
    ToolResultMessage,
    UserMessage,
)
from instar.core.model.ids import TurnId
from instar.core.transcript.injected import is_model_answer

__all__ = [
    "INTERRUPTED_TEXT",
    "SKIPPED_TEXT",
    "build_steered_reason",
    "find_given_answer",
    "find_open_calls",
    "plan_resume",
    "read_steered",
]

INTERRUPTED_TEXT = (
    "This tool call was interrupted before it reported a result. It may have had effects; it was not run again. "
    "Check before repeating it."
)
"""What the model reads instead of the result."""

SKIPPED_TEXT = (
    "This tool call was not run: a new message came first. Read it, then call the tool again if it is needed."
)
"""What the model reads for a call that had not begun when somebody wrote (QUEUE-3)."""

_STEERED = "steered:"


def find_open_calls(entries: Sequence[AnyEntry]) -> tuple[ToolCall, ...]:
    """The tool calls of the newest answer that have no result yet, in their order."""
    answered: set[str] = set()
    for entry in reversed(entries):
        if isinstance(entry, CustomMessageEntry):
            return ()
        if not isinstance(entry, MessageEntry):
            continue
        message = entry.message
        if isinstance(message, ToolResultMessage):
            answered.add(message.tool_call_id)
        elif isinstance(message, AssistantMessage) and is_model_answer(message):
            return tuple(call for call in _calls(message) if call.id not in answered)
        elif isinstance(message, UserMessage):
            # Results of a turn follow its calls at once; a user message in between ends the search for them.
            return ()
    return ()


def find_given_answer(entries: Sequence[AnyEntry]) -> AssistantMessage | None:
    """The answer with which the conversation ends; None while a model is still to be asked.

    An answer with tool calls is none: whatever became of them, the model has to hear of it.
    """
    for entry in reversed(entries):
        if isinstance(entry, CustomMessageEntry):
            return None
        if not isinstance(entry, MessageEntry):
            continue
        message = entry.message
        if not isinstance(message, AssistantMessage):
            return None
        if is_model_answer(message):
            return None if _calls(message) else message
    return None


def _calls(message: AssistantMessage) -> tuple[ToolCall, ...]:
    return tuple(block for block in message.content if isinstance(block, ToolCall))


def build_steered_reason(turn_id: TurnId) -> str:
    """What the row of a waiting message notes when a turn has taken its words already (QUEUE-7)."""
    return f"{_STEERED}{turn_id}"


def read_steered(item: InboxItem) -> TurnId | None:
    """The turn that has taken the words of a waiting message; None where they are in no transcript yet."""
    reason = item.reason or ""
    return TurnId(reason.removeprefix(_STEERED)) if reason.startswith(_STEERED) else None


def plan_resume(facts: SessionFacts, items: Sequence[InboxItem], *, turn_id: TurnId) -> SessionChange:
    """Record that a turn goes on after a cut; nothing else changes."""
    decision = Decision(
        kind="recover",
        outcome="turn_resumed",
        rule="LOSS-4",
        inputs={"messages": len(items), "entries": facts.transcript.next_seq - 1 if facts.transcript else 0},
    )
    return SessionChange(
        decisions=tuple(Noted(decision=decision, inbound_id=item.inbound_id, turn_id=turn_id) for item in items[:1])
    )
