"""How an interrupted turn goes on (LOSS-4).

A tool call that was committed and has no result was running when the process died. Nobody knows what it did, so it
is never run again: it gets a result that says so, and the model decides what to make of it. A turn whose answer was
committed, and which died before it could take a steered message, is not asked again.

Several turns may share a transcript (fanout), so nothing is concluded from what stands last in it: a call is open when
it has no result, wherever it stands, and which answer a turn had given is noted in the row of its first message.
"""

from __future__ import annotations

from collections.abc import Sequence

from instar.core.model.change import InboxItem, Noted, SessionChange, SessionFacts
from instar.core.model.decision import Decision
from instar.core.model.entry import (
    AnyEntry,
    AssistantMessage,
    MessageEntry,
    ToolCall,
    ToolResultMessage,
)
from instar.core.model.ids import EntryId, TurnId

__all__ = [
    "INTERRUPTED_TEXT",
    "SKIPPED_TEXT",
    "build_given_reason",
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
_GIVEN = "answered:"


def find_open_calls(entries: Sequence[AnyEntry]) -> tuple[ToolCall, ...]:
    """The tool calls that have no result, in their order.

    Some providers number calls anew in each answer, so a result belongs to the newest call of its id before it.
    """
    found: dict[str, ToolCall] = {}
    for entry in entries:
        if not isinstance(entry, MessageEntry):
            continue
        if isinstance(entry.message, ToolResultMessage):
            found.pop(entry.message.tool_call_id, None)
        elif isinstance(entry.message, AssistantMessage):
            found.update((call.id, call) for call in _calls(entry.message))
    return tuple(found.values())


def find_given_answer(entries: Sequence[AnyEntry], items: Sequence[InboxItem]) -> AssistantMessage | None:
    """The answer that a turn had given when it was cut off before the message that steered it; None without one."""
    given = {item.reason.removeprefix(_GIVEN) for item in items if item.reason and item.reason.startswith(_GIVEN)}
    for entry in reversed(entries):
        if entry.id in given and isinstance(entry, MessageEntry) and isinstance(entry.message, AssistantMessage):
            return entry.message
    return None


def _calls(message: AssistantMessage) -> tuple[ToolCall, ...]:
    return tuple(block for block in message.content if isinstance(block, ToolCall))


def build_given_reason(entry_id: EntryId) -> str:
    """What the row of a running message notes once it was answered and its turn goes on with what steers it."""
    return f"{_GIVEN}{entry_id}"


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
