"""How many tokens a message or an entry takes (TRANS-18, TRANS-19, WHY-7); `build` adds them up to a context.

An estimate is the number of characters divided by four, rounded up: good within a quarter for English prose, too low
for Chinese, Japanese and Korean, where a character is nearer to a whole token. It decides only what lies between two
numbers of a provider: the usage of the last answer counts exactly, and just what came after it is estimated.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, assert_never

from instar.core.model.entry import (
    AnyEntry,
    AnyMessage,
    AssistantMessage,
    Block,
    BranchSummaryEntry,
    CompactionEntry,
    CustomMessageEntry,
    ImageBlock,
    MessageEntry,
    OtherBlock,
    OtherMessage,
    TextBlock,
    ThinkingBlock,
    ToolCall,
    Usage,
)
from instar.core.model.ids import Instant
from instar.core.transcript.text import message_text, other_content

__all__ = [
    "CHARS_PER_TOKEN",
    "NOTHING",
    "ContextEstimate",
    "before_pruning",
    "estimate_chars",
    "estimate_entry",
    "estimate_message",
    "json_chars",
    "measured_tokens",
    "sum_usage",
]

CHARS_PER_TOKEN: Final = 4

_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str)

_IMAGE_CHARS: Final = 4800
"""1,200 tokens: about what providers count for an image of a screen (TRANS-18)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextEstimate:
    """What the window holds: `tokens`, of which `measured` were counted by the provider at `measured_at`.

    `measured` 0 means that everything is estimated.
    """

    tokens: int
    measured: int = 0
    measured_at: Instant | None = None

    @property
    def source(self) -> Literal["provider", "estimate"]:
        """Who counted the greater part."""
        return "provider" if self.measured else "estimate"


NOTHING: Final = ContextEstimate(tokens=0)
"""An empty context."""


def before_pruning(
    estimate: ContextEstimate, *, pruned_at: Instant | None, chars_before: int, chars_after: int
) -> ContextEstimate:
    """The estimate with what was left out of the request that the provider counted (PRUNE-20).

    `pruned_at` is when the newest pass that changed something was recorded, None if there was none. A pass older than
    the count was of an earlier request, and the provider has counted everything since.
    """
    counted_at = estimate.measured_at
    if pruned_at is None or counted_at is None or pruned_at < counted_at:
        return estimate
    return replace(estimate, tokens=estimate.tokens + estimate_chars(max(0, chars_before - chars_after)))


def estimate_chars(chars: int) -> int:
    """The tokens of so many characters."""
    return -(-chars // CHARS_PER_TOKEN)


def estimate_message(message: AnyMessage) -> int:
    """The tokens of one message (TRANS-18)."""
    return estimate_chars(_message_chars(message))


def estimate_entry(entry: AnyEntry) -> int:
    """The tokens of what a model sees of one entry; 0 for entries that are not for the model (TRANS-13)."""
    match entry:
        case MessageEntry():
            return estimate_message(entry.message)
        case CustomMessageEntry():
            return estimate_chars(_content_chars(entry.content))
        case CompactionEntry() | BranchSummaryEntry():
            return estimate_chars(len(entry.summary))
        case _:
            return 0


def _message_chars(message: AnyMessage) -> int:
    if not isinstance(message, OtherMessage):
        return _content_chars(message.content)
    return _content_chars(other_content(message)) if message.role == "custom" else len(message_text(message))


def _content_chars(content: str | tuple[Block, ...]) -> int:
    return len(content) if isinstance(content, str) else sum(map(_block_chars, content))


def _block_chars(block: Block) -> int:
    match block:
        case TextBlock():
            return len(block.text)
        case ToolCall():
            return len(block.name) + json_chars(block.arguments)
        case ThinkingBlock():
            return len(block.thinking)
        case ImageBlock():
            return _IMAGE_CHARS
        case OtherBlock():
            return json_chars(block.raw)
        case _:
            assert_never(block)


def json_chars(value: Mapping[str, object]) -> int:
    """The length of an object as JSON without blanks."""
    return len(_JSON.encode(value)) if value else 2


def sum_usage(usage: Usage) -> int:
    """The tokens of one model call: its total, else the sum of its four parts (TRANS-19)."""
    return usage.total_tokens or usage.input + usage.output + usage.cache_read + usage.cache_write


def measured_tokens(message: AnyMessage) -> int:
    """What the provider counted up to and with this message; 0 if it counted nothing, or the call failed."""
    if not isinstance(message, AssistantMessage) or message.stop_reason in {"aborted", "error"}:
        return 0
    return sum_usage(message.usage)
