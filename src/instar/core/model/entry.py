"""The closed union of transcript entries, and the messages inside them (section 5 of the spec, TRANS-*).

An entry is one line of a transcript; the transcript is a tree by `parent_id`, and a branch is the path from
a leaf to the root. What a reader does not know is kept: unknown fields in `extra`, unknown types as
`OtherEntry`, unknown roles as `OtherMessage`. Instants are milliseconds here; the line's ISO spelling is the
codec's affair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from instar.core.model.ids import EntryId, Instant, SessionId

__all__ = [
    "ZERO_USAGE",
    "AnyEntry",
    "AnyMessage",
    "AssistantMessage",
    "Block",
    "BranchSummaryEntry",
    "CompactionEntry",
    "CustomEntry",
    "CustomMessageEntry",
    "Entry",
    "Header",
    "ImageBlock",
    "LabelEntry",
    "MessageEntry",
    "ModelChangeEntry",
    "OtherBlock",
    "OtherEntry",
    "OtherMessage",
    "SessionInfoEntry",
    "StopReason",
    "TextBlock",
    "ThinkingBlock",
    "ThinkingLevelEntry",
    "ToolCall",
    "ToolResultMessage",
    "Usage",
    "UsageCost",
    "UserMessage",
]

TRANSCRIPT_VERSION = 3
"""The version Instar writes (TRANS-2)."""

StopReason = Literal["stop", "length", "toolUse", "error", "aborted", "injected"]
"""Why an assistant message ended (TRANS-9)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextBlock:
    """Plain text."""

    text: str
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageBlock:
    """An image, base64."""

    data: str
    mime_type: str
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinkingBlock:
    """A model's thinking; `signature` lets its provider recognise it."""

    thinking: str
    signature: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A model's wish to run a tool; `arguments` is the JSON object it gave."""

    id: str
    name: str
    arguments: Mapping[str, object]
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherBlock:
    """A block of a type this build does not know, kept as it is."""

    raw: Mapping[str, object]


Block = TextBlock | ImageBlock | ThinkingBlock | ToolCall | OtherBlock


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageCost:
    """What a model call cost, in US dollars, by part (TRANS-8)."""

    input: float = 0.0
    output: float = 0.0
    cache_read: float = 0.0
    cache_write: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one model call (TRANS-8). `input` leaves out what was read from or written to a cache."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    total_tokens: int = 0
    cost: UsageCost = field(default_factory=UsageCost)
    extra: Mapping[str, object] = field(default_factory=dict)


ZERO_USAGE = Usage()
"""For lines that no model was paid for (TRANS-15, TRANS-16)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserMessage:
    """What a person wrote (TRANS-5). `content` is text, or blocks in their order."""

    content: str | tuple[Block, ...]
    timestamp: Instant | None
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistantMessage:
    """What a model answered (TRANS-6)."""

    content: tuple[Block, ...]
    api: str
    provider: str
    model: str
    usage: Usage
    stop_reason: str
    timestamp: Instant | None
    error_message: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResultMessage:
    """What a tool gave back (TRANS-7)."""

    tool_call_id: str
    tool_name: str
    content: tuple[Block, ...]
    is_error: bool
    timestamp: Instant | None
    details: object | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherMessage:
    """A message of any further role (TRANS-10), kept as it is. `raw` includes the role."""

    role: str
    raw: Mapping[str, object]


AnyMessage = UserMessage | AssistantMessage | ToolResultMessage | OtherMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The first line of a transcript; it stands outside the tree (TRANS-2)."""

    id: SessionId
    timestamp: Instant | None
    cwd: str = ""
    version: int = TRANSCRIPT_VERSION
    parent_session: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What every line after the header has (TRANS-3). `parent_id` is None for a root."""

    id: EntryId
    parent_id: EntryId | None
    timestamp: Instant | None
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageEntry(Entry):
    """A message of the conversation."""

    message: AnyMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactionEntry(Entry):
    """From here on the model sees `summary` and the entries from `first_kept_id` (COMPACT-21)."""

    summary: str
    first_kept_id: EntryId
    tokens_before: int
    details: object | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchSummaryEntry(Entry):
    """What a branch that was left behind was about."""

    from_id: str
    summary: str
    details: object | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomEntry(Entry):
    """Data of a plug-in, never for the model."""

    custom_type: str
    data: object | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomMessageEntry(Entry):
    """A message of a plug-in, for the model. `display` says whether people see it."""

    custom_type: str
    content: str | tuple[Block, ...]
    display: bool
    details: object | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChangeEntry(Entry):
    """From here on another model answers."""

    provider: str
    model_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinkingLevelEntry(Entry):
    """From here on the model thinks at another level."""

    thinking_level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelEntry(Entry):
    """A name that a person gave to another entry; None takes it away."""

    target_id: str
    label: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionInfoEntry(Entry):
    """A name for the session as a whole."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherEntry(Entry):
    """A line of a type this build does not know; `raw` is the whole line, kept as it is."""

    type: str
    raw: Mapping[str, object]


AnyEntry = (
    MessageEntry
    | CompactionEntry
    | BranchSummaryEntry
    | CustomEntry
    | CustomMessageEntry
    | ModelChangeEntry
    | ThinkingLevelEntry
    | LabelEntry
    | SessionInfoEntry
    | OtherEntry
)
