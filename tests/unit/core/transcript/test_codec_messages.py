"""Messages and blocks survive reading and writing; what is odd about them is kept beside the best reading."""

import json

import pytest
from hypothesis import given

from instar.core.model.entry import (
    AssistantMessage,
    ImageBlock,
    OtherMessage,
    TextBlock,
    ThinkingBlock,
    ToolCall,
    ToolResultMessage,
    Usage,
    UsageCost,
    UserMessage,
)
from instar.core.transcript.codec_messages import format_message, parse_message
from tests.builders.transcript_strategies import messages, odd_objects

COST = {"input": 0.1, "output": 0, "cacheRead": 0, "cacheWrite": 0.2, "total": 0.3}
USAGE = {"input": 3, "output": 191, "cacheRead": 0, "cacheWrite": 1684, "totalTokens": 1878, "cost": COST}
ANSWER = {
    "role": "assistant",
    "content": [
        {"type": "thinking", "thinking": "hm", "thinkingSignature": "sig"},
        {"type": "text", "text": "yes"},
        {"type": "toolCall", "id": "c1", "name": "read", "arguments": {"path": "a"}},
    ],
    "api": "anthropic-messages",
    "provider": "anthropic",
    "model": "claude-sonnet-4-5",
    "usage": USAGE,
    "stopReason": "toolUse",
    "errorMessage": "cut",
    "timestamp": 1773144000000,
}
RESULT = {
    "role": "toolResult",
    "toolCallId": "c1",
    "toolName": "read",
    "content": [{"type": "text", "text": "x"}, {"type": "image", "data": "AA", "mimeType": "image/png"}],
    "details": {"lines": 1},
    "isError": False,
    "timestamp": 1773144000000,
}


def exact(value):
    return json.dumps(value, sort_keys=True)


@given(message=messages)
def test_message_is_read_back_as_it_was_written(message):
    assert parse_message(format_message(message)) == message


@given(raw=messages.flatmap(lambda message: odd_objects(format_message(message))))
def test_odd_message_is_written_as_it_was_read(raw):
    assert exact(format_message(parse_message(raw))) == exact(raw)


@pytest.mark.parametrize("missing", ["errorMessage", "timestamp", "details"])
@pytest.mark.parametrize("raw", [ANSWER, RESULT], ids=["answer", "result"])
def test_what_a_message_does_not_say_is_not_written(raw, missing):
    less = {name: value for name, value in raw.items() if name != missing}
    assert exact(format_message(parse_message(less))) == exact(less)


def test_answer_is_typed_in_every_part():
    message = parse_message(ANSWER)

    assert message == AssistantMessage(
        content=(
            ThinkingBlock(thinking="hm", signature="sig"),
            TextBlock(text="yes"),
            ToolCall(id="c1", name="read", arguments={"path": "a"}),
        ),
        api="anthropic-messages",
        provider="anthropic",
        model="claude-sonnet-4-5",
        usage=Usage(
            input=3,
            output=191,
            cache_write=1684,
            total_tokens=1878,
            cost=UsageCost(input=0.1, cache_write=0.2, total=0.3),
        ),
        stop_reason="toolUse",
        timestamp=1773144000000,
        error_message="cut",
    )
    assert list(format_message(message)) == list(ANSWER)


def test_tool_result_is_typed_in_every_part():
    message = parse_message(RESULT)

    assert message == ToolResultMessage(
        tool_call_id="c1",
        tool_name="read",
        content=(TextBlock(text="x"), ImageBlock(data="AA", mime_type="image/png")),
        is_error=False,
        timestamp=1773144000000,
        details={"lines": 1},
    )
    assert list(format_message(message)) == list(RESULT)


@pytest.mark.parametrize(
    "raw",
    [
        {"role": "custom", "content": "x"},
        {"role": "user"},
        {"role": "user", "content": 5},
        {"role": "assistant", "content": None},
        {"role": "toolResult", "content": []},
        {"role": "toolResult", "toolCallId": "c", "content": 1},
        {"role": 5},
        {},
    ],
)
def test_further_role_or_a_message_without_its_core_is_kept_whole(raw):
    message = parse_message(raw)

    assert isinstance(message, OtherMessage)
    assert message.raw == raw


def test_injected_line_of_older_gateways_is_an_answer():
    raw = {
        "role": "assistant",
        "content": [{"type": "text", "text": "note"}],
        "timestamp": 1,
        "stopReason": "injected",
        "usage": {"input": 0, "output": 0, "totalTokens": 0},
    }

    message = parse_message(raw)

    assert isinstance(message, AssistantMessage)
    assert (message.provider, message.model, message.stop_reason) == ("", "", "injected")
    assert message.usage.cost == UsageCost()
    assert exact(format_message(message)) == exact(raw)


@pytest.mark.parametrize(
    "usage", [None, "none", {**USAGE, "cost": 5}, {**USAGE, "cost": {**COST, "total": "3"}}, {**USAGE, "input": True}]
)
def test_odd_usage_is_read_as_well_as_it_can_be_and_kept(usage):
    raw = {**ANSWER, "usage": usage}

    message = parse_message(raw)

    assert message.usage.output == (191 if isinstance(usage, dict) else 0)
    assert exact(format_message(message)) == exact(raw)


def test_plain_text_where_blocks_belong_is_one_text_block():
    raw = {**RESULT, "content": "plain"}

    message = parse_message(raw)

    assert message.content == (TextBlock(text="plain"),)
    assert format_message(message) == raw


def test_bare_text_between_blocks_is_read_and_what_is_no_object_is_passed_over():
    raw = {"role": "user", "content": ["bare", {"type": "text", "text": "block"}, 5], "timestamp": 1}

    message = parse_message(raw)

    assert message.content == (TextBlock(text="bare"), TextBlock(text="block"))
    assert format_message(message) == raw


@pytest.mark.parametrize(
    ("spelling", "instant"),
    [("2026-03-10T12:00:00Z", 1773144000000), (1.5, 1), (float(10**300), None), (True, None), (10**30, None)],
)
def test_odd_message_time_is_read_as_well_as_it_can_be_and_kept(spelling, instant):
    raw = {"role": "user", "content": "", "timestamp": spelling}

    message = parse_message(raw)

    assert isinstance(message, UserMessage)
    assert message.timestamp == instant
    assert exact(format_message(message)) == exact(raw)


def test_message_without_time_stays_without():
    assert format_message(parse_message({"role": "user", "content": ""})) == {"role": "user", "content": ""}


@pytest.mark.parametrize("is_error", [1, None, "no"])
def test_odd_error_flag_counts_as_no_error_and_is_kept(is_error):
    raw = {**RESULT, "isError": is_error}

    message = parse_message(raw)

    assert message.is_error is False
    assert exact(format_message(message)) == exact(raw)
