"""Content blocks ⇄ JSON objects, and the content of a message as text or a list of them (TRANS-5 to TRANS-7).

A block that cannot be understood becomes an `OtherBlock` with its object as it is; nothing raises.
`format_block(parse_block(raw)) == raw` holds for every object.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from instar.core.model.entry import Block, ImageBlock, OtherBlock, TextBlock, ThinkingBlock, ToolCall
from instar.core.transcript.codec_fields import FieldReader, put_extra

__all__ = ["format_block", "format_content", "parse_block", "read_blocks", "read_content"]

_TEXT = frozenset({"type", "text"})
_IMAGE = frozenset({"type", "data", "mimeType"})
_THINKING = frozenset({"type", "thinking", "thinkingSignature"})
_TOOL_CALL = frozenset({"type", "id", "name", "arguments"})


def parse_block(raw: Mapping[str, object]) -> Block:
    """The block that an object describes; `OtherBlock` for an unknown type or a known one without its core."""
    match raw.get("type"):
        case "text":
            text = raw.get("text")
            if type(text) is not str:
                return OtherBlock(raw=raw)
            if len(raw) == len(_TEXT):
                return TextBlock(text=text)
            return TextBlock(text=text, extra=_without(raw, _TEXT))
        case "toolCall":
            return _parse_tool_call(raw)
        case "thinking":
            thinking = raw.get("thinking")
            if type(thinking) is not str:
                return OtherBlock(raw=raw)
            reader = FieldReader(raw, seen=2)
            signature = reader.optional_text("thinkingSignature")
            return ThinkingBlock(thinking=thinking, signature=signature, extra=reader.rest(_THINKING))
        case "image":
            data, mime_type = raw.get("data"), raw.get("mimeType")
            if type(data) is not str or type(mime_type) is not str:
                return OtherBlock(raw=raw)
            return ImageBlock(data=data, mime_type=mime_type, extra=_without(raw, _IMAGE))
        case _:
            return OtherBlock(raw=raw)


def _parse_tool_call(raw: Mapping[str, object]) -> Block:
    """A tool call; one without readable arguments counts as a call without arguments, so that its result pairs up."""
    call_id, name = raw.get("id"), raw.get("name")
    if type(call_id) is not str or type(name) is not str:
        return OtherBlock(raw=raw)
    arguments = raw.get("arguments")
    if isinstance(arguments, dict):
        extra = {} if len(raw) == len(_TOOL_CALL) else _without(raw, _TOOL_CALL)
        return ToolCall(id=call_id, name=name, arguments=arguments, extra=extra)
    reader = FieldReader(raw, seen=3)
    reader.keep("arguments")
    return ToolCall(id=call_id, name=name, arguments={}, extra=reader.rest(_TOOL_CALL))


def _without(raw: Mapping[str, object], known: frozenset[str]) -> dict[str, object]:
    return {name: value for name, value in raw.items() if name not in known}


def format_block(block: Block) -> dict[str, object]:
    """The JSON object of a block."""
    match block:
        case TextBlock():
            raw: dict[str, object] = {"type": "text", "text": block.text}
        case ToolCall():
            raw = {"type": "toolCall", "id": block.id, "name": block.name, "arguments": block.arguments}
        case ThinkingBlock():
            raw = {"type": "thinking", "thinking": block.thinking}
            if block.signature is not None:
                raw["thinkingSignature"] = block.signature
        case ImageBlock():
            raw = {"type": "image", "data": block.data, "mimeType": block.mime_type}
        case OtherBlock():
            return dict(block.raw)
        case _:
            assert_never(block)
    return put_extra(raw, block.extra)


def read_content(raw: Mapping[str, object], reader: FieldReader) -> str | tuple[Block, ...] | None:
    """The `content` of an object: text, or its blocks; None when it is neither.

    A bare text between blocks is read as a text block and anything else that is no object is passed over; the list
    as it was then stays in the reader's extra.
    """
    content = raw.get("content")
    if type(content) is str:
        reader.take()
        return content
    if not isinstance(content, list):
        return None
    blocks: list[Block] = []
    exact = True
    for item in content:
        if isinstance(item, dict):
            blocks.append(parse_block(item))
        else:
            exact = False
            if type(item) is str:
                blocks.append(TextBlock(text=item))
    if exact:
        reader.take()
    else:
        reader.keep("content")
    return tuple(blocks)


def read_blocks(raw: Mapping[str, object], reader: FieldReader) -> tuple[Block, ...] | None:
    """The `content` of a role that has blocks only: a plain text is read as one text block."""
    content = raw.get("content")
    if type(content) is str:
        reader.keep("content")
        return (TextBlock(text=content),)
    blocks = read_content(raw, reader)
    return blocks if isinstance(blocks, tuple) else None


def format_content(content: str | tuple[Block, ...]) -> str | list[dict[str, object]]:
    """The JSON value of a message's content."""
    return content if isinstance(content, str) else [format_block(block) for block in content]
