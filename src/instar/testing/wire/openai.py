"""OpenAI's chat completions, as served: https://platform.openai.com/docs/api-reference/chat."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from instar.core.model.entry import ToolCall, Usage
from instar.testing.script import Asked, Fault, FaultKind, Reply, Spoken, split_text
from instar.testing.wire.dialect import Failure, Frame, check_pairs, dump, read_objects, read_text

__all__ = ["OpenAICompletions"]

_ID = "chatcmpl-test"
_FINISH: Mapping[str, str] = {"stop": "stop", "length": "length", "toolUse": "tool_calls"}

_FAULTS: Mapping[FaultKind, tuple[int, str, str | None, str]] = {
    "auth": (401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided: sk-****test."),
    "not_found": (404, "invalid_request_error", "model_not_found", "The model `{model}` does not exist."),
    "overflow": (
        400,
        "invalid_request_error",
        "context_length_exceeded",
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
    ),
    "rate_limit": (429, "requests", "rate_limit_exceeded", "Rate limit reached for {model}."),
    "quota": (429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota."),
    "overloaded": (503, "server_error", "overloaded", "The server is overloaded, please try again later."),
    "server": (500, "server_error", None, "The server had an error while processing your request."),
    "rejected": (400, "invalid_request_error", None, "Invalid value."),
}
_UNKNOWN = (500, "server_error", None, "The server had an error.")


class OpenAICompletions:
    """Keeps `instar.testing.wire.dialect.Dialect`."""

    def parse(self, body: Mapping[str, object]) -> Asked:
        """Messages by their roles; `system` and `developer` are the system text."""
        messages = read_objects(body.get("messages"))
        system = [read_text(each.get("content")) for each in messages if each.get("role") in {"system", "developer"}]
        spoken = tuple(_hear(each) for each in messages if each.get("role") in {"user", "assistant", "tool"})
        functions = [each.get("function") for each in read_objects(body.get("tools"))]
        tools = tuple(str(each.get("name")) for each in functions if isinstance(each, Mapping))
        return Asked(
            model=str(body.get("model", "")),
            system="\n".join(system),
            spoken=spoken,
            tools=tools,
            is_streamed=bool(body.get("stream")),
        )

    def check(self, body: Mapping[str, object], asked: Asked) -> str | None:
        """Roles that are not legal, and calls without results."""
        roles = [each.get("role") for each in read_objects(body.get("messages"))]
        odd = next((role for role in roles if role not in {"system", "developer", "user", "assistant", "tool"}), None)
        if not roles or odd is not None:
            return f"Invalid value: {odd!r} is no role" if odd is not None else "messages must not be empty"
        return check_pairs(asked.spoken)

    def stream(self, reply: Reply, asked: Asked, body: Mapping[str, object]) -> Iterator[Frame]:
        """Deltas, the finish reason, the usage if it was asked for, ``[DONE]``."""
        yield _frame(asked, {"role": "assistant", "content": ""})
        if reply.thinking:
            yield _frame(asked, {"reasoning_content": reply.thinking})
        for index, part in enumerate(split_text(reply.text, reply.chunks)):
            yield _frame(asked, {"content": part}, chunk=index)
        for index, call in enumerate(reply.calls):
            yield from _call_frames(asked, index, call)
        yield _frame(asked, {}, finish=_FINISH[reply.stop_reason])
        options = body.get("stream_options")
        if isinstance(options, Mapping) and options.get("include_usage"):
            yield Frame(data=_sse({**_envelope(asked), "choices": [], "usage": _usage(reply.usage)}))
        yield Frame(data=b"data: [DONE]\n\n")

    def whole(self, reply: Reply, asked: Asked) -> Mapping[str, object]:
        """A ``chat.completion`` object."""
        message: dict[str, object] = {"role": "assistant", "content": reply.text or None}
        if reply.thinking:
            message["reasoning_content"] = reply.thinking
        if reply.calls:
            message["tool_calls"] = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": _arguments(call)}}
                for call in reply.calls
            ]
        choice = {"index": 0, "message": message, "finish_reason": _FINISH[reply.stop_reason]}
        return {
            **_envelope(asked),
            "object": "chat.completion",
            "choices": [choice],
            "usage": _usage(reply.usage),
        }

    def fail(self, fault: Fault, asked: Asked) -> Failure:
        """``{error: {message, type, code}}`` with the status that OpenAI gives it."""
        status, kind, code, text = _FAULTS.get(fault.kind, _UNKNOWN)
        headers = {} if fault.retry_after_s is None else {"retry-after": f"{fault.retry_after_s:g}"}
        message = fault.text or text.format(model=asked.model)
        error = {"message": message, "type": kind, "param": None, "code": code}
        return Failure(status=status, body={"error": error}, headers=headers)

    def fail_inside(self, fault: Fault, asked: Asked) -> bytes:
        """An error object in place of a chunk."""
        return _sse(self.fail(fault, asked).body)


def _hear(message: Mapping[str, object]) -> Spoken:
    content = message.get("content")
    text = read_text(content)
    match message.get("role"):
        case "assistant":
            return Spoken(role="assistant", text=text, calls=tuple(map(_call, read_objects(message.get("tool_calls")))))
        case "tool":
            return Spoken(role="tool", text=text, call_id=str(message.get("tool_call_id")))
        case _:
            images = sum(part.get("type") == "image_url" for part in read_objects(content))
            return Spoken(role="user", text=text, images=images)


def _call(raw: Mapping[str, object]) -> ToolCall:
    function = raw.get("function")
    named: Mapping[str, object] = function if isinstance(function, Mapping) else {}
    arguments = json.loads(str(named.get("arguments") or "{}"))
    return ToolCall(id=str(raw.get("id")), name=str(named.get("name")), arguments=arguments)


def _call_frames(asked: Asked, index: int, call: ToolCall) -> Iterator[Frame]:
    """The name first, then the arguments in two halves, as real streams come."""
    function = {"name": call.name, "arguments": ""}
    yield _frame(asked, {"tool_calls": [{"index": index, "id": call.id, "type": "function", "function": function}]})
    for part in split_text(_arguments(call), 2):
        yield _frame(asked, {"tool_calls": [{"index": index, "function": {"arguments": part}}]})


def _arguments(call: ToolCall) -> str:
    return dump(dict(call.arguments))


def _frame(asked: Asked, delta: Mapping[str, object], *, finish: str | None = None, chunk: int | None = None) -> Frame:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return Frame(data=_sse({**_envelope(asked), "choices": [choice]}), chunk=chunk)


def _envelope(asked: Asked) -> dict[str, object]:
    return {"id": _ID, "object": "chat.completion.chunk", "created": 1, "model": asked.model}


def _usage(usage: Usage | None) -> dict[str, object]:
    counted = usage or Usage()
    prompt = counted.input + counted.cache_read + counted.cache_write
    told: dict[str, object] = {
        "prompt_tokens": prompt,
        "completion_tokens": counted.output,
        "total_tokens": prompt + counted.output,
        "prompt_tokens_details": {"cached_tokens": counted.cache_read},
    }
    return told | ({"cost": counted.cost.total} if counted.cost.total else {})  # OpenRouter's own addition


def _sse(value: Mapping[str, object]) -> bytes:
    return f"data: {dump(value)}\n\n".encode()
