"""The words of a message: what titles, previews, search, exports and summaries read of it."""

from __future__ import annotations

from instar.core.model.entry import AnyMessage, Block, OtherMessage, TextBlock
from instar.core.transcript.codec_blocks import parse_block

__all__ = ["content_text", "message_text", "other_content"]


def content_text(content: str | tuple[Block, ...]) -> str:
    """The text of a content; its text blocks joined by newlines. Thinking, images and calls are no words."""
    if isinstance(content, str):
        return content
    return "\n".join(block.text for block in content if isinstance(block, TextBlock))


def message_text(message: AnyMessage) -> str:
    """The words of a message of any role; empty for a further role this build does not know."""
    if not isinstance(message, OtherMessage):
        return content_text(message.content)
    match message.role:
        case "custom":
            return content_text(other_content(message))
        case "bashExecution":
            return f"{_text(message, 'command')}\n{_text(message, 'output')}".rstrip()
        case "branchSummary" | "compactionSummary":
            return _text(message, "summary")
        case _:
            return ""


def other_content(message: OtherMessage) -> str | tuple[Block, ...]:
    """The `content` of a message of a further role, empty if it has none."""
    content = message.raw.get("content")
    if isinstance(content, list):
        return tuple(parse_block(block) for block in content if isinstance(block, dict))
    return content if isinstance(content, str) else ""


def _text(message: OtherMessage, name: str) -> str:
    value = message.raw.get(name)
    return value if isinstance(value, str) else ""
