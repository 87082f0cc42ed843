"""The last resort: a context that fits, whatever it costs (HIST-7, LOSS-9).

When a compaction cannot be made, or is not enough, the turn goes on with what fits. In this order, and only as far
as needed: older turns are left out; in the newest turn long tool results are cut, then its oldest calls with their
results are left out, then the words of people are cut. Every step keeps the request valid: it begins with a
user, and calls stand with their results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from instar.core.context.tokens import CHARS_PER_TOKEN, estimate_message
from instar.core.context.turns import find_newest_turn, find_start, may_start_turn
from instar.core.model.entry import (
    AssistantMessage,
    Block,
    TextBlock,
    ToolCall,
    ToolResultMessage,
    UserMessage,
)
from instar.core.transcript.repair import PlacedMessage
from instar.core.transcript.text import content_text

__all__ = ["FittedContext", "fit_messages", "halve_budget"]

_SHORT_RESULT_CHARS: Final = 400
"""What stays of a tool result that is cut: enough to see what it was."""


_LEAST_BESIDE_TOKENS: Final = 2 * _SHORT_RESULT_CHARS // CHARS_PER_TOKEN
"""What must fit beside the words of a person for an answer to be worth asking for: a call or two with their results."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedContext:
    """The messages that are sent, and whether anything was left out or cut, which the person is told then.

    `tokens` is their estimate. It is above the budget only if the newest answer with its cut results alone is.
    """

    messages: tuple[PlacedMessage, ...]
    truncated: bool
    tokens: int


def fit_messages(messages: Sequence[PlacedMessage], budget_tokens: int, *, keep_first: int = 0) -> FittedContext:
    """The newest part of rendered messages (see `render_messages`) within a budget of estimated tokens.

    The first `keep_first` messages (a summary, pinned entries; fewer if that would part a call from its results) stay
    in front where they take no more than half of the budget.
    """
    whole = tuple(messages)
    if (total := _total(whole)) <= budget_tokens:
        return FittedContext(messages=whole, truncated=False, tokens=total)
    length = _whole_length(whole, keep_first)
    head = whole[:length] if 2 * _total(whole[:length]) <= budget_tokens else ()
    budget = budget_tokens - _total(head)
    rest = whole[len(head) :]
    kept = _newest_turns(rest, _newest_start(rest, after=length - len(head)), budget)
    steps: tuple[Callable[[Messages, int], Messages], ...] = (_cut_results, _leave_out_calls, _cut_words)
    for step in steps:
        if _total(kept) > budget:
            kept = step(kept, budget)
    return FittedContext(messages=head + kept, truncated=True, tokens=_total(head + kept))


Messages = tuple[PlacedMessage, ...]


def halve_budget(messages: Sequence[PlacedMessage], sent_tokens: int) -> int | None:
    """Half of `sent_tokens`, which a provider has refused; None where words that wait for an answer would be cut.

    Those are all that was said in the newest turn, however it came into it.
    """
    newest = find_newest_turn(placed.message for placed in messages)
    waiting = () if newest is None else messages[newest:]
    words = sum(estimate_message(placed.message) for placed in waiting if may_start_turn(placed.message))
    half = sent_tokens // 2
    return half if half >= words + _LEAST_BESIDE_TOKENS else None


def _whole_length(messages: Messages, at_most: int) -> int:
    """The greatest length up to `at_most` that parts no call from its results."""
    length = waiting = 0
    for index, placed in enumerate(messages[:at_most], start=1):
        message = placed.message
        if isinstance(message, ToolResultMessage):
            waiting -= 1
        elif isinstance(message, AssistantMessage):
            waiting += sum(isinstance(block, ToolCall) for block in message.content)
        if waiting == 0:
            length = index
    return length


def _newest_start(messages: Messages, *, after: int) -> int:
    """Where the newest turn starts behind the first `after` messages; in a turn that starts among them, at its last
    user message, since a request begins with one.
    """
    newest = find_newest_turn(placed.message for placed in messages[after:])
    if newest is not None:
        return after + newest
    return max((index for index, placed in enumerate(messages[:after]) if _is_user(placed)), default=0)


def _newest_turns(messages: Messages, newest: int, budget_tokens: int) -> Messages:
    """From the first user message on from which everything fits; at least the newest turn."""
    start = find_start(
        [placed.message for placed in messages], newest, fits=lambda _count, tokens: tokens <= budget_tokens
    )
    return messages[start:]


def _total(messages: Messages) -> int:
    return sum(estimate_message(placed.message) for placed in messages)


def _cut_results(messages: Messages, budget_tokens: int) -> Messages:
    """Tool results cut, oldest first, until the rest fits."""
    excess = _total(messages) - budget_tokens
    cut = list(messages)
    for index, placed in enumerate(messages):
        message = placed.message
        if excess <= 0:
            break
        if isinstance(message, ToolResultMessage):
            shorter = replace(message, content=_cut_blocks(message.content, _SHORT_RESULT_CHARS), extra={})
            saved = estimate_message(message) - estimate_message(shorter)
            if saved > 0:
                cut[index] = replace(placed, message=shorter)
                excess -= saved
    return tuple(cut)


def _leave_out_calls(messages: Messages, budget_tokens: int) -> Messages:
    """The oldest answers with their results left out, until the rest fits; the newest answer and all words stay."""
    excess = _total(messages) - budget_tokens
    newest = max((index for index, placed in enumerate(messages) if _is_answer(placed)), default=0)
    kept: list[PlacedMessage] = []
    is_left_out = False
    for index, placed in enumerate(messages):
        if _is_answer(placed):
            is_left_out = excess > 0 and index < newest
        if is_left_out and not _is_user(placed):
            excess -= estimate_message(placed.message)
        else:
            kept.append(placed)
    return tuple(kept)


def _is_answer(placed: PlacedMessage) -> bool:
    return isinstance(placed.message, AssistantMessage)


def _is_user(placed: PlacedMessage) -> bool:
    return isinstance(placed.message, UserMessage)


def _cut_words(messages: Messages, budget_tokens: int) -> Messages:
    """The words of users cut in equal parts, so that the rest fits; images go with them."""
    users = [placed for placed in messages if _is_user(placed)]
    others = sum(estimate_message(placed.message) for placed in messages if placed not in users)
    share = max(0, budget_tokens - others) // max(1, len(users)) * CHARS_PER_TOKEN
    return tuple(_with_cut_words(placed, share) for placed in messages)


def _with_cut_words(placed: PlacedMessage, chars: int) -> PlacedMessage:
    message = placed.message
    if not isinstance(message, UserMessage) or estimate_message(message) * CHARS_PER_TOKEN <= chars:
        return placed
    return replace(placed, message=replace(message, content=_cut_text(content_text(message.content), chars), extra={}))


def _cut_blocks(blocks: tuple[Block, ...], chars: int) -> tuple[Block, ...]:
    return (TextBlock(text=_cut_text(content_text(blocks), chars)),)


def _cut_text(text: str, chars: int) -> str:
    """The beginning and the end of a text with a mark between them, never longer than `chars` or its own length."""
    mark = "\n[… cut …]\n"
    if len(text) <= chars:
        return text
    half = (chars - len(mark)) // 2
    return f"{text[:half]}{mark}{text[-half:]}" if half > 0 else text[: max(1, chars)]
