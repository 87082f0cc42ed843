"""A turn whose model had not a word for the person who wrote (LOSS-2).

Providers end answers with nothing in them: a limit on the output that thinking has used up, a model that has lost the
thread. Silence that nobody chose looks like a message that was lost, so the person is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from instar.core.model.change import InboxItem
from instar.core.model.decision import Decision
from instar.core.model.entry import (
    AnyEntry,
    AssistantMessage,
    CustomMessageEntry,
    MessageEntry,
    ToolCall,
    UserMessage,
)
from instar.core.transcript.text import message_text

__all__ = ["WORDLESS", "describe_wordless", "tell_wordless"]

WORDLESS: Final = "empty_answer"
"""Why a message of such a turn ended, in its inbox row."""


def tell_wordless(
    message: AssistantMessage, items: Sequence[InboxItem], newest_first: Iterable[AnyEntry]
) -> str | None:
    """The sentence for the person, None where none is owed.

    None is owed when the answer says something, when the turn has said something before it (then the empty end of a
    row of tool calls means that all is said), when no person wrote, and in a group where nobody spoke to the agent:
    there it may stay silent (ACT-8). `newest_first` are the entries before the answer.
    """
    if message_text(message).strip() or any(isinstance(block, ToolCall) for block in message.content):
        return None
    if not any(_wants_words(item) for item in items) or _has_spoken(newest_first):
        return None
    if message.stop_reason == "length":
        return "The model used up its room for the answer before it had said a word. Ask for less, or use /think low."
    return "The model ended its answer without a word. Send the message again, or choose another model with /model."


def describe_wordless(message: AssistantMessage) -> Decision:
    """The record of it (WHY-1)."""
    inputs = {"model": f"{message.provider}/{message.model}", "stop_reason": message.stop_reason}
    return Decision(kind="turn", outcome=WORDLESS, rule="LOSS-2", inputs=inputs)


def _wants_words(item: InboxItem) -> bool:
    if item.submission.options.system:
        return False
    inbound = item.submission.inbound
    found = next((each for each in item.acceptance.decisions if each.kind == "activation"), None)
    if inbound.chat.type == "direct" or found is None:
        return inbound.chat.type == "direct" or bool(inbound.mentioned)
    return found.inputs.get("mode") != "always" or bool(found.inputs.get("addressed"))


def _has_spoken(newest_first: Iterable[AnyEntry]) -> bool:
    """Whether the agent has said something since a person last wrote."""
    for entry in newest_first:
        if isinstance(entry, CustomMessageEntry):
            return False
        if not isinstance(entry, MessageEntry):
            continue
        if isinstance(entry.message, UserMessage):
            return False
        if isinstance(entry.message, AssistantMessage) and message_text(entry.message).strip():
            return True
    return False
