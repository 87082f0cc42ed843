"""Anthropic's messages, as served: https://docs.anthropic.com/en/api/messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from instar.core.model.entry import ToolCall, Usage
from instar.testing.script import Asked, Fault, FaultKind, Reply, Spoken, split_text
from instar.testing.wire.dialect import Failure, Frame, check_pairs, dump, read_objects, read_text

__all__ = ["AnthropicMessages"]

_ID = "msg_test"
_STOP: Mapping[str, str] = {"stop": "end_turn", "length": "max_tokens", "toolUse": "tool_use"}

_FAULTS: Mapping[FaultKind, tuple[int, str, str]] = {
    "auth": (401, "authentication_error", "invalid x-api-key"),
    "not_found": (404, "not_found_error", "model: {model}"),
    "overflow": (400, "invalid_request_error", "prompt is too long: 212000 tokens > 200000 maximum"),
    "rate_limit": (429, "rate_limit_error", "This request would exceed your rate limit."),
    "quota": (402, "billing_error", "Your credit balance is too low."),
    "overloaded": (529, "overloaded_error", "Overloaded"),
    "server": (500, "api_error", "Internal server error"),
    "rejected": (400, "invalid_request_error", "Invalid value."),
}
_UNKNOWN = (500, "api_error", "Internal server error")


class AnthropicMessages:
    """Keeps `instar.testing.wire.dialect.Dialect`."""

    def parse(self, body: Mapping[str, object]) -> Asked:
        """Blocks in their order; results of tools stand in messages of the user and become messages of their own."""
        spoken = tuple(each for message in read_objects(body.get("messages")) for each in _hear(message))
        tools = tuple(str(each.get("name")) for each in read_objects(body.get("tools")))
        return Asked(
            model=str(body.get("model", "")),
            system=read_text(body.get("system")),
            spoken=spoken,
            tools=tools,
            is_streamed=bool(body.get("stream")),
        )

    def check(self, body: Mapping[str, object], asked: Asked) -> str | None:
        """What Anthropic refuses: no limit of output, a wrong beginning or end, empty texts, calls without results."""
        messages = read_objects(body.get("messages"))
        if not isinstance(body.get("max_tokens"), int):
            return "max_tokens: Field required"
        if not messages or messages[0].get("role") != "user":
            return 'messages: first message must use the "user" role'
        if messages[-1].get("role") != "user":
            return "This model does not support assistant message prefill."
        for message in messages:
            content = message.get("content")
            texts = (
                [content]
                if isinstance(content, str)
                else [part.get("text") for part in read_objects(content) if part.get("type") == "text"]
            )
            if any(not str(text).strip() for text in texts):
                return "messages: text content blocks must contain non-whitespace text"
        return check_pairs(asked.spoken)

    def stream(
        self,
        reply: Reply,
        asked: Asked,
        body: Mapping[str, object],  # noqa: ARG002 - other formats need it
    ) -> Iterator[Frame]:
        """``message_start``, the blocks one after the other, ``message_delta``, ``message_stop``."""
        yield _frame("message_start", message=self._message(reply, asked) | {"content": [], "stop_reason": None})
        for index, block in enumerate(self._blocks(reply)):
            yield from _block_frames(index, block, reply)
        yield _frame(
            "message_delta",
            delta={"stop_reason": _STOP[reply.stop_reason], "stop_sequence": None},
            usage={"output_tokens": (reply.usage or Usage()).output},
        )
        yield _frame("message_stop")

    def whole(self, reply: Reply, asked: Asked) -> Mapping[str, object]:
        """A ``message`` object."""
        return self._message(reply, asked)

    def fail(self, fault: Fault, asked: Asked) -> Failure:
        """``{type: error, error: {type, message}}`` with the status that Anthropic gives it."""
        status, kind, text = _FAULTS.get(fault.kind, _UNKNOWN)
        headers = {} if fault.retry_after_s is None else {"retry-after": f"{fault.retry_after_s:g}"}
        message = fault.text or text.format(model=asked.model)
        return Failure(
            status=status, headers=headers, body={"type": "error", "error": {"type": kind, "message": message}}
        )

    def fail_inside(self, fault: Fault, asked: Asked) -> bytes:
        """An ``error`` event."""
        return f"event: error\ndata: {dump(self.fail(fault, asked).body)}\n\n".encode()

    def _blocks(self, reply: Reply) -> list[Mapping[str, object]]:
        blocks: list[Mapping[str, object]] = []
        if reply.thinking:
            signature = reply.signature or "c2lnbmF0dXJl"
            blocks.append({"type": "thinking", "thinking": reply.thinking, "signature": signature})
        if reply.text:
            blocks.append({"type": "text", "text": reply.text})
        blocks += [
            {"type": "tool_use", "id": call.id, "name": call.name, "input": dict(call.arguments)}
            for call in reply.calls
        ]
        return blocks

    def _message(self, reply: Reply, asked: Asked) -> dict[str, object]:
        usage = reply.usage or Usage()
        return {
            "id": _ID,
            "type": "message",
            "role": "assistant",
            "model": asked.model,
            "content": self._blocks(reply),
            "stop_reason": _STOP[reply.stop_reason],
            "stop_sequence": None,
            "usage": {
                "input_tokens": usage.input,
                "cache_read_input_tokens": usage.cache_read,
                "cache_creation_input_tokens": usage.cache_write,
                "output_tokens": usage.output,
            },
        }


def _hear(message: Mapping[str, object]) -> list[Spoken]:
    """The message as one or several: results of tools apart, in front of the words beside them."""
    content, role = message.get("content"), message.get("role")
    blocks = read_objects(content)
    results = [
        Spoken(
            role="tool",
            text=read_text(block.get("content")),
            call_id=str(block.get("tool_use_id")),
            is_error=bool(block.get("is_error")),
        )
        for block in blocks
        if block.get("type") == "tool_result"
    ]
    text, images = read_text(content), sum(block.get("type") == "image" for block in blocks)
    if role == "assistant":
        return [Spoken(role="assistant", text=text, calls=tuple(map(_call, blocks_of(blocks, "tool_use"))))]
    return [*results, Spoken(role="user", text=text, images=images)] if text or images or not results else results


def blocks_of(blocks: list[Mapping[str, object]], kind: str) -> list[Mapping[str, object]]:
    """The blocks of one type."""
    return [block for block in blocks if block.get("type") == kind]


def _call(block: Mapping[str, object]) -> ToolCall:
    given = block.get("input")
    arguments = dict(given) if isinstance(given, Mapping) else {}
    return ToolCall(id=str(block.get("id")), name=str(block.get("name")), arguments=arguments)


def _block_frames(index: int, block: Mapping[str, object], reply: Reply) -> Iterator[Frame]:
    match block["type"]:
        case "thinking":
            yield _frame("content_block_start", index=index, content_block={**block, "thinking": "", "signature": ""})
            yield _delta(index, {"type": "thinking_delta", "thinking": block["thinking"]})
            yield _delta(index, {"type": "signature_delta", "signature": block["signature"]})
        case "text":
            yield _frame("content_block_start", index=index, content_block={"type": "text", "text": ""})
            for chunk, part in enumerate(split_text(reply.text, reply.chunks)):
                yield _delta(index, {"type": "text_delta", "text": part}, chunk=chunk)
        case _:
            yield _frame("content_block_start", index=index, content_block={**block, "input": {}})
            for part in split_text(dump(block["input"]), 2):
                yield _delta(index, {"type": "input_json_delta", "partial_json": part})
    yield _frame("content_block_stop", index=index)


def _delta(index: int, delta: Mapping[str, object], *, chunk: int | None = None) -> Frame:
    frame = _frame("content_block_delta", index=index, delta=delta)
    return Frame(data=frame.data, chunk=chunk)


def _frame(event: str, **fields: object) -> Frame:
    return Frame(data=f"event: {event}\ndata: {dump({'type': event, **fields})}\n\n".encode())
