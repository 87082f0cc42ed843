"""Whether a request is one that a provider accepts, and how large it is."""

from __future__ import annotations

from collections.abc import Sequence

from instar.core.context.tokens import estimate_chars, estimate_message, json_chars
from instar.core.model.entry import AnyMessage, AssistantMessage, ToolCall, ToolResultMessage, UserMessage
from instar.ports.runner import ModelRequest

__all__ = ["estimate_request", "find_fault", "is_summary"]


def is_summary(system: str) -> bool:
    """Whether a request asks for the record of a conversation."""
    return system.startswith("You keep the records of a conversation")


def estimate_request(request: ModelRequest) -> int:
    """The tokens of a whole request: system text, tools and messages."""
    tools = sum(len(tool.name) + len(tool.description) + json_chars(tool.parameters) for tool in request.tools)
    return estimate_chars(len(request.system)) + estimate_chars(tools) + sum(map(estimate_message, request.messages))


def find_fault(messages: Sequence[AnyMessage]) -> str | None:
    """What a provider would refuse: the first words are not a person's, a call without its results, a result without
    its call; None for a request that is fine.
    """
    if not messages or not isinstance(messages[0], UserMessage):
        return "it does not begin with words for the model"
    open_calls: list[str] = []
    for place, message in enumerate(messages):
        if isinstance(message, ToolResultMessage):
            if message.tool_call_id not in open_calls:
                return f"message {place} is a result without its call"
            open_calls.remove(message.tool_call_id)
            continue
        if open_calls:
            return f"message {place} stands before the results of {open_calls}"
        if isinstance(message, AssistantMessage):
            if place and isinstance(messages[place - 1], AssistantMessage):
                return f"message {place} is a second answer in a row"
            open_calls = [block.id for block in message.content if isinstance(block, ToolCall)]
    last = messages[-1]
    if open_calls or isinstance(last, AssistantMessage):
        return "it does not end with something to answer"
    return None
