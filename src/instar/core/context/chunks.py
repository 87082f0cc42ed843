"""A long history is summarised piece by piece (COMPACT-15 to COMPACT-17).

Each piece must fit beside the summary so far, with room to spare for a wrong estimate; the larger the single
messages are, the smaller the pieces. A call and its results stay in one piece.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, assert_never

from instar.core.context.tokens import estimate_message
from instar.core.model.entry import AnyMessage, AssistantMessage, OtherMessage, ToolCall, ToolResultMessage, UserMessage
from instar.core.transcript.repair import PlacedMessage

__all__ = ["leave_out_oversized", "plan_chunks"]

_LARGEST_SHARE: Final = 0.4
_SMALLEST_SHARE: Final = 0.15
_SAFETY: Final = 1.2
"""Estimates may be a fifth too low."""

_LARGE_MESSAGE_SHARE: Final = 0.1
_OVERSIZED_SHARE: Final = 0.5

Chunk = tuple[PlacedMessage, ...]


def plan_chunks(messages: Sequence[PlacedMessage], window_tokens: int) -> tuple[Chunk, ...]:
    """The messages in pieces of the right size, in order; nothing is left out and nothing comes twice.

    A unit that is larger than a piece makes a piece of its own.
    """
    if not messages:
        return ()
    sizes = [estimate_message(placed.message) for placed in messages]
    budget = window_tokens * _share(sizes, window_tokens)
    chunks: list[Chunk] = []
    current: list[PlacedMessage] = []
    used = 0
    for start, end in _units(messages):
        size = sum(sizes[start:end])
        if current and used + size > budget:
            chunks.append(tuple(current))
            current, used = [], 0
        current.extend(messages[start:end])
        used += size
    return (*chunks, tuple(current))


def _share(sizes: Sequence[int], window_tokens: int) -> float:
    """The part of the window that a piece may take: 40 %, down to 15 % the larger the average message is."""
    average = sum(sizes) / len(sizes) * _SAFETY / max(1, window_tokens)
    if average <= _LARGE_MESSAGE_SHARE:
        return _LARGEST_SHARE
    return max(_SMALLEST_SHARE, _LARGEST_SHARE - 2 * average)


def _units(messages: Sequence[PlacedMessage]) -> Iterator[tuple[int, int]]:
    """Ranges that must not be parted: from a call to its last result, everything else by itself (COMPACT-16)."""
    ends = _unit_ends([placed.message for placed in messages])
    start = 0
    while start < len(messages):
        end = index = start
        # A unit grows while one of its messages reaches further.
        while index <= end:
            end = max(end, ends[index])
            index += 1
        yield start, end + 1
        start = end + 1


def _unit_ends(messages: Sequence[AnyMessage]) -> list[int]:
    """For each message the place of its last result; a last answer whose calls still wait reaches to the end."""
    ends = list(range(len(messages)))
    newest: dict[str, int] = {}
    last_answer = None
    for index, message in enumerate(messages):
        if isinstance(message, AssistantMessage):
            last_answer = index
            newest.update((block.id, index) for block in message.content if isinstance(block, ToolCall))
        elif isinstance(message, ToolResultMessage):
            ends[newest.pop(message.tool_call_id, index)] = index
    if last_answer is not None and last_answer in newest.values():
        ends[last_answer] = len(messages) - 1
    return ends


def leave_out_oversized(messages: Sequence[PlacedMessage], window_tokens: int) -> tuple[PlacedMessage, ...]:
    """The messages with each one that alone takes over half the window replaced by a remark on its role and size.

    For the attempt after the full one failed (COMPACT-17).
    """
    limit = window_tokens * _OVERSIZED_SHARE
    return tuple(
        _remark(placed) if estimate_message(placed.message) * _SAFETY > limit else placed for placed in messages
    )


def _remark(placed: PlacedMessage) -> PlacedMessage:
    message = placed.message
    text = f"[A {_role(message)} message of about {estimate_message(message)} tokens was left out: it is too large.]"
    return PlacedMessage(entry_id=placed.entry_id, message=UserMessage(content=text, timestamp=None))


def _role(message: AnyMessage) -> str:
    match message:
        case UserMessage():
            return "user"
        case AssistantMessage():
            return "assistant"
        case ToolResultMessage():
            return "tool result"
        case OtherMessage():
            return message.role or "further"
        case _:
            assert_never(message)
