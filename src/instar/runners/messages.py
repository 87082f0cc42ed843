"""The core's messages as pydantic-ai's, and an answer of its as one of ours. Pure: values in, values out.

What must hold for every provider is made to hold here: calls and results paired (the repair of
`instar.core.transcript.repair` once more, in case nobody made it), ids that a provider accepts and that occur once,
no empty texts, a person's message first and none of the model's last. Thinking goes back only to whoever thought
it: its signature means nothing to another provider.

This module imports pydantic-ai; whoever must start fast imports it inside a function.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from pydantic_ai.messages import (
    BinaryContent,
    FilePart,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)

from instar.core.model.entry import (
    AnyMessage,
    AssistantMessage,
    Block,
    ImageBlock,
    OtherMessage,
    StopReason,
    TextBlock,
    ThinkingBlock,
    ToolCall,
    ToolResultMessage,
    Usage,
    UserMessage,
)
from instar.core.transcript.repair import PlacedMessage, repair_view
from instar.core.transcript.text import message_text, other_content
from instar.ports.runner import ModelSpec

__all__ = ["ID_PART", "PROVIDER_PART", "build_answer", "build_history", "build_tool_call", "build_usage"]

ID_PART = "partId"
"""Where a block keeps the id that its provider gave the part, beside the fields of the transcript format."""

PROVIDER_PART = "providerDetails"
"""Where a block keeps what its provider wants back unchanged, such as a thought signature of a tool call."""

SENDABLE_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""What every provider with eyes takes."""

EMPTY = "(empty message)"
BEGINNING = "(The conversation begins with your own words.)"
GO_ON = "(Go on.)"

_OTHER_HEADS: Mapping[str, str] = {
    "compactionSummary": "[Summary of the conversation before this point]",
    "branchSummary": "[Summary of a branch of the conversation that was left]",
    "bashExecution": "[A command that was run, and its output]",
}


class _Kept(TypedDict, total=False):
    """What a provider wants back with a part of its own, as the library's parts take it."""

    id: str
    provider_details: dict[str, Any]  # Any: the provider's own JSON
    provider_name: str


def build_history(messages: Sequence[AnyMessage], *, model: ModelSpec, system: str) -> list[ModelMessage]:
    """The conversation for `model`, oldest first; always ends with a request, which carries the system text."""
    repaired = repair_view([PlacedMessage(entry_id=None, message=message) for message in messages])
    builder = _History(model=model)
    for placed in repaired.messages:
        builder.add(placed.message)
    return builder.finish(system)


@dataclass(slots=True)
class _History:
    """Grows a history message by message; `ids` maps ids of calls to those that were sent for them and wait."""

    model: ModelSpec
    done: list[ModelMessage] = field(default_factory=list)
    parts: list[ModelRequestPart] = field(default_factory=list)
    ids: dict[str, list[str]] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def add(self, message: AnyMessage) -> None:
        match message:
            case UserMessage():
                self.parts.append(UserPromptPart(self._user_content(message.content)))
            case ToolResultMessage():
                self.parts.append(self._result(message))
            case AssistantMessage():
                self._answer(message)
            case OtherMessage():
                self._other(message)

    def finish(self, system: str) -> list[ModelMessage]:
        if not self.parts:
            self.parts.append(UserPromptPart(GO_ON if self.done else EMPTY))
        return [*self.done, ModelRequest(parts=self.parts, instructions=system or None)]

    def _answer(self, message: AssistantMessage) -> None:
        parts: list[ModelResponsePart] = []
        for block in message.content:
            part = self._answer_part(block, message)
            if part is not None:
                parts.append(part)
        if not any(isinstance(part, TextPart | ToolCallPart) for part in parts):
            return  # a failed or aborted answer that said nothing; thinking alone is no turn
        if not self.parts and not self.done:
            self.parts.append(UserPromptPart(BEGINNING))
        if self.parts:
            self.done.append(ModelRequest(parts=self.parts))
            self.parts = []
        self.done.append(ModelResponse(parts=parts, provider_name=self._provider(message), model_name=message.model))

    def _answer_part(self, block: Block, message: AssistantMessage) -> ModelResponsePart | None:
        match block:
            case TextBlock(text=text) if text.strip():
                return TextPart(text, **self._kept(block.extra, message))
            case ThinkingBlock():
                return self._thinking(block, message)
            case ToolCall():
                sent = self._draw_id(block.id)
                return ToolCallPart(block.name, dict(block.arguments), sent, **self._kept(block.extra, message))
            case _:
                return None  # what the model cannot have said to this provider: pictures, unknown blocks

    def _thinking(self, block: ThinkingBlock, message: AssistantMessage) -> ThinkingPart | None:
        name = self._provider(message)
        kept = self._kept(block.extra, message)
        is_known = block.signature is not None or "id" in kept
        if name is None or not is_known or message.stop_reason == "aborted":
            return None
        kept["provider_name"] = name
        return ThinkingPart(block.thinking, signature=block.signature, **kept)

    def _provider(self, message: AssistantMessage) -> str | None:
        """The name under which this provider knows its own parts; None for the words of any other."""
        is_own = message.provider == self.model.provider and message.api == self.model.api
        return part_provider(self.model) if is_own else None

    def _kept(self, extra: Mapping[str, object], message: AssistantMessage) -> _Kept:
        """What the same provider wants back with a part: its id and its details."""
        kept = _Kept()
        name = self._provider(message)
        if name is None:
            return kept
        if isinstance(part_id := extra.get(ID_PART), str):
            kept["id"] = part_id
        if isinstance(details := extra.get(PROVIDER_PART), Mapping):
            kept["provider_details"] = dict(details)
        if kept:
            kept["provider_name"] = name
        return kept

    def _draw_id(self, raw: str) -> str:
        """An id that providers accept and that no other call of this conversation has."""
        plain = re.sub(r"[^A-Za-z0-9_-]", "_", raw)[:56] or "call"
        sent, number = plain, 1
        while sent in self.taken:
            number += 1
            sent = f"{plain}_{number}"
        self.taken.add(sent)
        self.ids.setdefault(raw, []).append(sent)
        return sent

    def _result(self, message: ToolResultMessage) -> ToolReturnPart[object]:
        content = self._contents(message.content)
        if len(content) <= 1:
            told: object = content[0] if content else ""
        else:
            told = content
        return ToolReturnPart(
            message.tool_name,
            told,
            self.ids[message.tool_call_id].pop(0),
            outcome="failed" if message.is_error else "success",
        )

    def _other(self, message: OtherMessage) -> None:
        """Roles beyond the three: what they say is told as the person's side, under a line that names it."""
        head = _OTHER_HEADS.get(message.role)
        if head is not None:
            self.parts.append(UserPromptPart(f"{head}\n{message_text(message)}"))
        elif message.role == "custom":
            self.parts.append(UserPromptPart(self._user_content(other_content(message))))

    def _user_content(self, content: str | tuple[Block, ...]) -> str | list[UserContent]:
        if isinstance(content, str):
            return content if content.strip() else EMPTY
        contents = self._contents(content)
        if all(isinstance(each, str) for each in contents):
            return "\n".join(each for each in contents if isinstance(each, str)) or EMPTY
        return contents

    def _contents(self, blocks: Sequence[Block]) -> list[UserContent]:
        contents: list[UserContent] = []
        for block in blocks:
            if isinstance(block, TextBlock) and block.text.strip():
                contents.append(block.text)
            elif isinstance(block, ImageBlock):
                contents.append(self._image(block))
        return contents

    def _image(self, block: ImageBlock) -> UserContent:
        if "image" not in self.model.input_kinds or block.mime_type not in SENDABLE_IMAGES:
            return f"[A picture ({block.mime_type}) that this model cannot be shown]"
        try:
            return BinaryContent(base64.b64decode(block.data, validate=True), media_type=block.mime_type)
        except binascii.Error:
            return f"[A picture ({block.mime_type}) that is damaged]"


def part_provider(model: ModelSpec) -> str:
    """The name that pydantic-ai's class for this wire format gives to parts of its answers."""
    return {
        "anthropic-messages": "anthropic",
        "google-generative-ai": "google",
    }.get(model.api, "openrouter" if model.provider == "openrouter" else "openai")


def build_answer(response: ModelResponse, *, model: ModelSpec, usage: Usage) -> AssistantMessage:
    """The answer as the transcript keeps it. A call whose arguments were cut off by the length limit is left out."""
    is_cut = response.finish_reason == "length"
    blocks = [block for part in response.parts if (block := _build_block(part, is_cut=is_cut)) is not None]
    return AssistantMessage(
        content=tuple(blocks),
        api=model.api,
        provider=model.provider,
        model=model.id,
        usage=usage,
        stop_reason=_stop_reason(response, blocks),
        timestamp=None,
    )


def build_tool_call(part: ToolCallPart) -> ToolCall:
    """A complete call. Arguments that are no JSON object stand under ``INVALID_JSON``, for the tool to refuse."""
    return ToolCall(
        id=part.tool_call_id,
        name=part.tool_name,
        arguments=part.args_as_dict(raise_if_invalid=False),
        extra=_extra(part),
    )


def build_usage(response: ModelResponse) -> Usage:
    """Tokens of the answer; `input` without what was read from or written to a cache (TRANS-8)."""
    counted = response.usage
    read, written = counted.cache_read_tokens, counted.cache_write_tokens
    plain = max(0, counted.input_tokens - read - written)
    return Usage(
        input=plain,
        output=counted.output_tokens,
        cache_read=read,
        cache_write=written,
        total_tokens=plain + read + written + counted.output_tokens,
    )


def _build_block(part: ModelResponsePart, *, is_cut: bool) -> Block | None:
    match part:
        case TextPart(content=text):
            return TextBlock(text=text, extra=_extra(part)) if text else None
        case ThinkingPart():
            if not part.content and part.signature is None:
                return None
            return ThinkingBlock(thinking=part.content, signature=part.signature, extra=_extra(part))
        case ToolCallPart():
            return None if is_cut and not _is_whole(part) else build_tool_call(part)
        case FilePart(content=content) if content.is_image:
            return ImageBlock(data=base64.b64encode(content.data).decode(), mime_type=content.media_type)
        case _:
            return None  # tools that a provider runs by itself are not switched on


def _extra(part: TextPart | ThinkingPart | ToolCallPart) -> Mapping[str, object]:
    kept = {ID_PART: part.id, PROVIDER_PART: part.provider_details}
    return {name: value for name, value in kept.items() if value and _is_json(value)}


def _is_json(value: object) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


def _is_whole(part: ToolCallPart) -> bool:
    if not isinstance(part.args, str):
        return True
    try:
        return isinstance(json.loads(part.args or "{}"), dict)
    except ValueError:
        return False


def _stop_reason(response: ModelResponse, blocks: Sequence[Block]) -> StopReason:
    """Why the answer ended (TRANS-9). Calls make it ``toolUse`` whatever the provider says: they are to be run."""
    if any(isinstance(block, ToolCall) for block in blocks):
        return "toolUse"
    return "length" if response.finish_reason == "length" else "stop"
