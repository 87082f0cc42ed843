"""The repaired view: tool calls and results as a provider accepts them (TRANS-20).

A provider refuses a request in which a call has no result, a result has no call, or something stands between the
two. Transcripts have all three: a process died while a tool ran, a branch was cut between call and result, a person
wrote while a tool was at work. The repair is made in what is sent, never in what is stored.

In one pass over the messages:

* a result goes directly behind the message that called, results of one message in the order of its calls;
* a call without a result gets one that says so, marked as an error;
* a result whose call is not there, or that has been given already, is left out.

Some providers number calls anew in each answer, so a result belongs to the newest call of its id before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from instar.core.model.entry import AnyMessage, AssistantMessage, TextBlock, ToolCall, ToolResultMessage
from instar.core.model.ids import EntryId

__all__ = ["PlacedMessage", "RepairedView", "build_missing_result", "repair_view"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedMessage:
    """A message and the entry it stands for; None for one that no entry holds."""

    entry_id: EntryId | None
    message: AnyMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairedView:
    """The messages as they may be sent, and what was done: ids of the calls and results concerned, in order."""

    messages: tuple[PlacedMessage, ...]
    unanswered_calls: tuple[str, ...] = ()
    orphaned_results: tuple[str, ...] = ()


@dataclass(slots=True)
class _Slot:
    """The place of one call's result."""

    call: ToolCall
    result: PlacedMessage | None = None


def repair_view(messages: Sequence[PlacedMessage]) -> RepairedView:
    """The messages with calls and results paired; linear, and what was well stays in its order."""
    groups: list[tuple[PlacedMessage, list[_Slot]]] = []
    waiting: dict[str, _Slot] = {}
    orphans: list[str] = []
    for placed in messages:
        message = placed.message
        if isinstance(message, ToolResultMessage):
            slot = waiting.pop(message.tool_call_id, None)
            if slot is None:
                orphans.append(message.tool_call_id)
            else:
                slot.result = placed
            continue
        slots = [_Slot(call) for call in _calls(message)]
        waiting.update((slot.call.id, slot) for slot in slots)
        groups.append((placed, slots))
    repaired: list[PlacedMessage] = []
    unanswered: list[str] = []
    for placed, slots in groups:
        repaired.append(placed)
        for slot in slots:
            if slot.result is None:
                unanswered.append(slot.call.id)
            repaired.append(slot.result or PlacedMessage(entry_id=None, message=build_missing_result(slot.call)))
    return RepairedView(messages=tuple(repaired), unanswered_calls=tuple(unanswered), orphaned_results=tuple(orphans))


def _calls(message: AnyMessage) -> list[ToolCall]:
    if not isinstance(message, AssistantMessage):
        return []
    return [block for block in message.content if isinstance(block, ToolCall)]


def build_missing_result(call: ToolCall) -> ToolResultMessage:
    """What the model is told in place of a result that was never recorded."""
    return ToolResultMessage(
        tool_call_id=call.id,
        tool_name=call.name,
        content=(TextBlock(text="No result of this tool call was recorded: it was interrupted or cut off."),),
        is_error=True,
        timestamp=None,
    )
