"""Entries and branches for tests, written as short as they read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from instar.core.model.entry import (
    AnyEntry,
    AnyMessage,
    AssistantMessage,
    Block,
    BranchSummaryEntry,
    CompactionEntry,
    CustomEntry,
    CustomMessageEntry,
    ImageBlock,
    LabelEntry,
    MessageEntry,
    ModelChangeEntry,
    OtherMessage,
    TextBlock,
    ThinkingLevelEntry,
    ToolCall,
    ToolResultMessage,
    Usage,
    UserMessage,
)
from instar.core.model.ids import EntryId, Instant

START = Instant(1_773_144_000_000)
"""2026-03-10T12:00:00.000Z: where the clock of a `Branch` begins."""


def text(value: str) -> TextBlock:
    return TextBlock(text=value)


def image(size: int = 8) -> ImageBlock:
    return ImageBlock(data="A" * size, mime_type="image/png")


def call(call_id: str, name: str = "read", arguments: Mapping[str, object] | None = None) -> ToolCall:
    return ToolCall(id=call_id, name=name, arguments=arguments or {})


def user(content: str | Sequence[Block], *, at: Instant | None = None, **extra: object) -> UserMessage:
    return UserMessage(content=content if isinstance(content, str) else tuple(content), timestamp=at, extra=extra)


def assistant(
    *blocks: str | Block,
    tokens: int = 0,
    stop: str = "stop",
    at: Instant | None = None,
    provider: str = "anthropic",
    model: str = "claude-sonnet-4-5",
) -> AssistantMessage:
    """An answer; texts become text blocks. `tokens` is its usage in total, 0 for none."""
    return AssistantMessage(
        content=tuple(text(block) if isinstance(block, str) else block for block in blocks),
        api="anthropic-messages",
        provider=provider,
        model=model,
        usage=Usage(total_tokens=tokens),
        stop_reason=stop,
        timestamp=at,
    )


def result(
    call_id: str, *blocks: str | Block, name: str = "read", is_error: bool = False, details: object | None = None
) -> ToolResultMessage:
    return ToolResultMessage(
        tool_call_id=call_id,
        tool_name=name,
        content=tuple(text(block) if isinstance(block, str) else block for block in blocks),
        is_error=is_error,
        timestamp=None,
        details=details,
    )


def other(role: str, **fields: object) -> OtherMessage:
    return OtherMessage(role=role, raw={"role": role, **fields})


class Branch:
    """A branch that grows: each method appends one entry to the last and returns its id (``e0``, ``e1``, …)."""

    def __init__(self) -> None:
        self.entries: list[AnyEntry] = []
        self.leaf: EntryId | None = None

    def _base(self) -> tuple[EntryId, EntryId | None, Instant]:
        entry_id = EntryId(f"e{len(self.entries)}")
        return entry_id, self.leaf, Instant(START + 1000 * len(self.entries))

    def _add(self, entry: AnyEntry) -> EntryId:
        self.entries.append(entry)
        self.leaf = entry.id
        return entry.id

    def move(self, leaf: EntryId | None) -> None:
        """The next entry hangs on `leaf`."""
        self.leaf = leaf

    def message(self, message: AnyMessage) -> EntryId:
        entry_id, parent, at = self._base()
        return self._add(MessageEntry(id=entry_id, parent_id=parent, timestamp=at, message=message))

    def user(self, content: str | Sequence[Block], *, at: Instant | None = None, **extra: object) -> EntryId:
        return self.message(user(content, at=at, **extra))

    def assistant(self, *blocks: str | Block, tokens: int = 0, stop: str = "stop") -> EntryId:
        return self.message(assistant(*blocks, tokens=tokens, stop=stop))

    def result(self, call_id: str, *blocks: str | Block, name: str = "read") -> EntryId:
        return self.message(result(call_id, *blocks, name=name))

    def compaction(
        self, first_kept: str, summary: str = "the story so far", *, details: object | None = None
    ) -> EntryId:
        entry_id, parent, at = self._base()
        return self._add(
            CompactionEntry(
                id=entry_id,
                parent_id=parent,
                timestamp=at,
                summary=summary,
                first_kept_id=EntryId(first_kept),
                tokens_before=1000,
                details=details,
            )
        )

    def branch_summary(self, summary: str, from_id: str = "e0") -> EntryId:
        entry_id, parent, at = self._base()
        return self._add(
            BranchSummaryEntry(id=entry_id, parent_id=parent, timestamp=at, from_id=from_id, summary=summary)
        )

    def custom(self, custom_type: str, data: object | None = None) -> EntryId:
        entry_id, parent, at = self._base()
        return self._add(CustomEntry(id=entry_id, parent_id=parent, timestamp=at, custom_type=custom_type, data=data))

    def custom_message(self, content: str | Sequence[Block], custom_type: str = "note") -> EntryId:
        entry_id, parent, at = self._base()
        return self._add(
            CustomMessageEntry(
                id=entry_id,
                parent_id=parent,
                timestamp=at,
                custom_type=custom_type,
                content=content if isinstance(content, str) else tuple(content),
                display=True,
            )
        )

    def model_change(self, provider: str = "openai", model_id: str = "gpt-6") -> EntryId:
        entry_id, parent, at = self._base()
        return self._add(
            ModelChangeEntry(id=entry_id, parent_id=parent, timestamp=at, provider=provider, model_id=model_id)
        )

    def thinking_level(self, level: str = "high") -> EntryId:
        entry_id, parent, at = self._base()
        return self._add(ThinkingLevelEntry(id=entry_id, parent_id=parent, timestamp=at, thinking_level=level))

    def label(self, target: str, label: str | None) -> EntryId:
        entry_id, parent, at = self._base()
        return self._add(LabelEntry(id=entry_id, parent_id=parent, timestamp=at, target_id=target, label=label))
