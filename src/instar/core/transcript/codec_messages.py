"""Messages and their usage ⇄ JSON objects (TRANS-5 to TRANS-10).

Nothing here raises on odd data: a message that cannot be understood becomes an `OtherMessage` with its object as
it is. `format_message(parse_message(raw)) == raw` holds for every object;
how odd spellings survive is told in `codec_fields`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import assert_never

from instar.core.model.entry import (
    AnyMessage,
    AssistantMessage,
    OtherMessage,
    ToolResultMessage,
    Usage,
    UsageCost,
    UserMessage,
)
from instar.core.transcript.codec_blocks import format_content, read_blocks, read_content
from instar.core.transcript.codec_fields import FieldReader, put_extra

__all__ = ["format_message", "parse_message"]

_COST = ("input", "output", "cacheRead", "cacheWrite", "total")
_NUMBERS = (int, float)
_USAGE = frozenset({"input", "output", "cacheRead", "cacheWrite", "totalTokens", "cost"})
_USER = frozenset({"role", "content", "timestamp"})
_ASSISTANT = frozenset(
    {"role", "content", "api", "provider", "model", "usage", "stopReason", "errorMessage", "timestamp"}
)
_TOOL_RESULT = frozenset({"role", "toolCallId", "toolName", "content", "details", "isError", "timestamp"})


# --- usage ------------------------------------------------------------------------------------------------------------


def _parse_usage(raw: dict[str, object]) -> Usage:
    cost = raw.get("cost")
    exact_cost = isinstance(cost, dict) and len(cost) == len(_COST) and _are_numbers(cost, _COST)
    typed_cost = _parse_cost(cost) if isinstance(cost, dict) else UsageCost()
    reader = FieldReader(raw)
    if exact_cost:
        reader.take()
    else:
        reader.keep("cost")
    return Usage(
        input=reader.count("input"),
        output=reader.count("output"),
        cache_read=reader.count("cacheRead"),
        cache_write=reader.count("cacheWrite"),
        total_tokens=reader.count("totalTokens"),
        cost=typed_cost,
        extra=reader.rest(_USAGE),
    )


def _are_numbers(raw: dict[str, object], names: tuple[str, ...]) -> bool:
    return all(type(raw.get(name)) in _NUMBERS for name in names)


def _parse_cost(raw: dict[str, object]) -> UsageCost:
    return UsageCost(
        input=_number(raw.get("input")),
        output=_number(raw.get("output")),
        cache_read=_number(raw.get("cacheRead")),
        cache_write=_number(raw.get("cacheWrite")),
        total=_number(raw.get("total")),
    )


def _number(value: object) -> float:
    return value if type(value) is float or type(value) is int else 0


def _format_usage(usage: Usage) -> dict[str, object]:
    cost = usage.cost
    raw: dict[str, object] = {
        "input": usage.input,
        "output": usage.output,
        "cacheRead": usage.cache_read,
        "cacheWrite": usage.cache_write,
        "totalTokens": usage.total_tokens,
        "cost": {
            "input": cost.input,
            "output": cost.output,
            "cacheRead": cost.cache_read,
            "cacheWrite": cost.cache_write,
            "total": cost.total,
        },
    }
    return put_extra(raw, usage.extra)


# --- messages ---------------------------------------------------------------------------------------------------------


def parse_message(raw: Mapping[str, object]) -> AnyMessage:
    """The message that an object describes; `OtherMessage` for a further role, or a known role without its core."""
    role = raw.get("role")
    if type(role) is not str:
        return OtherMessage(role="", raw=raw)
    parse = _PARSERS.get(role)
    message = parse(raw) if parse is not None else None
    return OtherMessage(role=role, raw=raw) if message is None else message


def _parse_user(raw: Mapping[str, object]) -> UserMessage | None:
    reader = FieldReader(raw, seen=1)
    content = read_content(raw, reader)
    if content is None:
        return None
    return UserMessage(content=content, timestamp=reader.message_time(), extra=reader.rest(_USER))


def _parse_assistant(raw: Mapping[str, object]) -> AssistantMessage | None:
    reader = FieldReader(raw, seen=1)
    content = read_blocks(raw, reader)
    if content is None:
        return None
    usage = raw.get("usage")
    if isinstance(usage, dict):
        reader.take()
    else:
        reader.keep("usage")
    return AssistantMessage(
        content=content,
        api=reader.text("api"),
        provider=reader.text("provider"),
        model=reader.text("model"),
        usage=_parse_usage(usage) if isinstance(usage, dict) else Usage(),
        stop_reason=reader.text("stopReason"),
        timestamp=reader.message_time(),
        error_message=reader.optional_text("errorMessage"),
        extra=reader.rest(_ASSISTANT),
    )


def _parse_tool_result(raw: Mapping[str, object]) -> ToolResultMessage | None:
    call_id = raw.get("toolCallId")
    reader = FieldReader(raw, seen=2)
    content = read_blocks(raw, reader)
    if content is None or type(call_id) is not str:
        return None
    return ToolResultMessage(
        tool_call_id=call_id,
        tool_name=reader.text("toolName"),
        content=content,
        is_error=reader.flag("isError"),
        timestamp=reader.message_time(),
        details=reader.optional("details"),
        extra=reader.rest(_TOOL_RESULT),
    )


_PARSERS: dict[str, Callable[[Mapping[str, object]], AnyMessage | None]] = {
    "user": _parse_user,
    "assistant": _parse_assistant,
    "toolResult": _parse_tool_result,
}


def format_message(message: AnyMessage) -> dict[str, object]:
    """The JSON object of a message, its keys in the order of TRANS-5 to TRANS-7."""
    match message:
        case UserMessage():
            raw: dict[str, object] = {"role": "user", "content": format_content(message.content)}
        case AssistantMessage():
            raw = {
                "role": "assistant",
                "content": format_content(message.content),
                "api": message.api,
                "provider": message.provider,
                "model": message.model,
                "usage": _format_usage(message.usage),
                "stopReason": message.stop_reason,
            }
            if message.error_message is not None:
                raw["errorMessage"] = message.error_message
        case ToolResultMessage():
            raw = {
                "role": "toolResult",
                "toolCallId": message.tool_call_id,
                "toolName": message.tool_name,
                "content": format_content(message.content),
            }
            if message.details is not None:
                raw["details"] = message.details
            raw["isError"] = message.is_error
        case OtherMessage():
            return dict(message.raw)
        case _:
            assert_never(message)
    if message.timestamp is not None:
        raw["timestamp"] = message.timestamp
    return put_extra(raw, message.extra)
