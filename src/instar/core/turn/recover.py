"""How an interrupted turn goes on (LOSS-4).

A tool call that was committed and has no result was running when the process died. Nobody knows what it did, so it
is never run again: it gets a result that says so, and the model decides what to make of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from instar.core.model.change import InboxItem, Noted, SessionChange, SessionFacts
from instar.core.model.decision import Decision
from instar.core.model.entry import AnyEntry, AssistantMessage, MessageEntry, ToolCall, ToolResultMessage, UserMessage
from instar.core.model.ids import TurnId

__all__ = ["INTERRUPTED_TEXT", "find_open_calls", "plan_resume"]

INTERRUPTED_TEXT = (
    "This tool call was interrupted before it reported a result. It may have had effects; it was not run again. "
    "Check before repeating it."
)
"""What the model reads instead of the result."""


def find_open_calls(entries: Sequence[AnyEntry]) -> tuple[ToolCall, ...]:
    """The tool calls of the newest assistant message that have no result yet, in their order."""
    answered: set[str] = set()
    for entry in reversed(entries):
        if not isinstance(entry, MessageEntry):
            continue
        message = entry.message
        if isinstance(message, ToolResultMessage):
            answered.add(message.tool_call_id)
        elif isinstance(message, AssistantMessage):
            calls = (block for block in message.content if isinstance(block, ToolCall))
            return tuple(call for call in calls if call.id not in answered)
        elif isinstance(message, UserMessage):
            # Results of a turn follow its calls at once; a user message in between ends the search for them.
            return ()
    return ()


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
