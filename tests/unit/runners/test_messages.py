"""The core's messages as pydantic-ai's and back: what only a look inside can show; the wire is seen in the contract."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_ai.messages import (
    BinaryContent,
    FilePart,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.usage import RequestUsage

from instar.core.model.entry import (
    AnyMessage,
    AssistantMessage,
    ImageBlock,
    OtherBlock,
    OtherMessage,
    TextBlock,
    ThinkingBlock,
    ToolCall,
    ToolResultMessage,
    Usage,
    UserMessage,
)
from instar.ports.runner import ModelSpec
from instar.runners.messages import build_answer, build_history, build_usage

CLAUDE = ModelSpec(provider="anthropic", id="claude", api="anthropic-messages", input_kinds=("text", "image"))
GPT = ModelSpec(provider="openai", id="gpt", api="openai-completions")


def user(text: str) -> UserMessage:
    return UserMessage(content=text, timestamp=None)


def said(
    *blocks: TextBlock | ThinkingBlock | ToolCall | OtherBlock, by: ModelSpec, stop: str = "stop"
) -> AssistantMessage:
    return AssistantMessage(
        content=blocks,
        api=by.api,
        provider=by.provider,
        model=by.id,
        usage=Usage(),
        stop_reason=stop,
        timestamp=None,
    )


def history(*messages: AnyMessage, model: ModelSpec = CLAUDE, system: str = "S") -> list[ModelMessage]:
    return build_history(messages, model=model, system=system)


THOUGHT = ThinkingBlock(thinking="hm", signature="sig")


def test_thinking_goes_back_to_whoever_thought_it_and_to_nobody_else() -> None:
    answer = said(THOUGHT, TextBlock(text="42"), by=CLAUDE)
    assert history(user("?"), answer, user("!"), model=CLAUDE)[1].parts[0] == ThinkingPart(
        "hm", signature="sig", provider_name="anthropic"
    )
    assert [type(part) for part in history(user("?"), answer, user("!"), model=GPT)[1].parts] == [TextPart]


@pytest.mark.parametrize("stop", ["stop", "aborted"])
def test_thinking_without_a_signature_or_cut_off_is_left_out(stop: str) -> None:
    thought = THOUGHT if stop == "aborted" else ThinkingBlock(thinking="hm")
    answer = said(thought, TextBlock(text="42"), by=CLAUDE, stop=stop)
    assert [type(part) for part in history(user("?"), answer, user("!"))[1].parts] == [TextPart]


def test_what_a_provider_wants_back_survives_the_transcript() -> None:
    google = ModelSpec(provider="google", id="gemini", api="google-generative-ai")
    details = {"thought_signature": "c2ln"}
    response = ModelResponse(
        parts=[
            ThinkingPart("hm", id="rs_1", signature="s", provider_name="google"),
            ToolCallPart("look", {"a": 1}, "c1", provider_details=details, provider_name="google"),
        ],
        finish_reason="stop",
    )
    answer = build_answer(response, model=google, usage=Usage())
    thinking, call = history(user("?"), answer, model=google)[1].parts
    assert isinstance(thinking, ThinkingPart)
    assert (thinking.id, thinking.signature, thinking.provider_name) == ("rs_1", "s", "google")
    assert isinstance(call, ToolCallPart)
    assert (call.provider_details, call.provider_name) == (details, "google")
    other = history(user("?"), answer, model=GPT)[1].parts
    assert [(type(part), getattr(part, "provider_details", None)) for part in other] == [(ToolCallPart, None)]


def test_the_system_text_stands_on_the_last_request_alone() -> None:
    requests = [
        each
        for each in history(user("a"), said(TextBlock(text="b"), by=CLAUDE), user("c"))
        if isinstance(each, ModelRequest)
    ]
    assert [each.instructions for each in requests] == [None, "S"]
    assert isinstance(history(user("a"), system="")[-1], ModelRequest)
    assert history(user("a"), system="")[-1].instructions is None  # type: ignore[union-attr]


def test_a_failed_tool_is_marked_and_its_pictures_are_kept() -> None:
    pixel = ImageBlock(data="aGk=", mime_type="image/png")
    result = ToolResultMessage(
        tool_call_id="c1", tool_name="look", content=(TextBlock(text="see"), pixel), is_error=True, timestamp=None
    )
    returned = history(user("?"), said(ToolCall(id="c1", name="look", arguments={}), by=CLAUDE), result)[-1].parts[0]
    assert isinstance(returned, ToolReturnPart)
    assert returned.outcome == "failed"
    assert returned.content == ["see", BinaryContent(b"hi", media_type="image/png")]


def test_blocks_of_a_kind_nobody_knows_are_not_sent() -> None:
    parts = history(user("?"), said(OtherBlock(raw={"type": "x"}), TextBlock(text="y"), by=CLAUDE), user("!"))[1].parts
    assert [type(part) for part in parts] == [TextPart]


# --- answers ----------------------------------------------------------------------------------------------------------


def test_arguments_that_are_no_json_are_handed_to_the_tool_to_refuse() -> None:
    response = ModelResponse(parts=[ToolCallPart("look", '{"a": ', "c1")], finish_reason="tool_call")
    (call,) = build_answer(response, model=GPT, usage=Usage()).content
    assert isinstance(call, ToolCall)
    assert dict(call.arguments) == {"INVALID_JSON": '{"a": '}


def test_a_call_that_the_limit_cut_in_half_is_not_run() -> None:
    parts = [TextPart("Let me"), ToolCallPart("look", '{"a": ', "c1")]
    message = build_answer(ModelResponse(parts=parts, finish_reason="length"), model=GPT, usage=Usage())
    assert message.stop_reason == "length"
    assert [type(block) for block in message.content] == [TextBlock]


@pytest.mark.parametrize("args", ["", '{"a": 1}', {"a": 1}])
def test_a_call_that_was_whole_before_the_limit_is_run(args: str | dict[str, object]) -> None:
    response = ModelResponse(parts=[ToolCallPart("look", args, "c1")], finish_reason="length")
    assert build_answer(response, model=GPT, usage=Usage()).stop_reason == "toolUse"


def test_empty_parts_are_dropped_and_pictures_become_blocks() -> None:
    parts = [TextPart(""), ThinkingPart(""), FilePart(BinaryContent(b"hi", media_type="image/png"))]
    message = build_answer(ModelResponse(parts=parts), model=GPT, usage=Usage())
    assert message.content == (ImageBlock(data="aGk=", mime_type="image/png"),)
    sound = FilePart(BinaryContent(b"hi", media_type="audio/wav"))
    assert build_answer(ModelResponse(parts=[sound]), model=GPT, usage=Usage()).content == ()


def test_redacted_thinking_is_kept_for_its_signature() -> None:
    part = ThinkingPart("", id="redacted_thinking", signature="s", provider_name="anthropic")
    answer = build_answer(ModelResponse(parts=[part, TextPart("42")]), model=CLAUDE, usage=Usage())
    assert history(user("?"), answer, user("!"))[1].parts[0] == part


def test_input_tokens_are_counted_without_those_of_the_cache() -> None:
    counted = RequestUsage(input_tokens=343, cache_read_tokens=222, cache_write_tokens=111, output_tokens=5)
    usage = build_usage(ModelResponse(parts=[], usage=counted))
    assert (usage.input, usage.cache_read, usage.cache_write, usage.output, usage.total_tokens) == (
        10,
        222,
        111,
        5,
        348,
    )
    odd = RequestUsage(input_tokens=3, cache_read_tokens=5)
    assert build_usage(ModelResponse(parts=[], usage=odd)).input == 0


# --- a law ------------------------------------------------------------------------------------------------------------

TEXTS = st.sampled_from(["", " ", "hi", "ü\n"])
CALLS = st.builds(
    lambda call_id: ToolCall(id=call_id, name="t", arguments={}), st.sampled_from(["a", "b", "a|b", "", "é"])
)
BLOCKS = st.lists(st.builds(lambda text: TextBlock(text=text), TEXTS) | CALLS | st.just(THOUGHT), max_size=3)
MESSAGES = st.lists(
    st.builds(user, TEXTS)
    | BLOCKS.map(lambda blocks: said(*blocks, by=CLAUDE))
    | BLOCKS.map(lambda blocks: said(*blocks, by=GPT, stop="aborted"))
    | st.sampled_from(["a", "b", "a|b", "zz"]).map(
        lambda call_id: ToolResultMessage(
            tool_call_id=call_id, tool_name="t", content=(TextBlock(text="r"),), is_error=False, timestamp=None
        )
    )
    | st.sampled_from(["compactionSummary", "custom", "odd"]).map(
        lambda role: OtherMessage(role=role, raw={"role": role, "summary": "s", "content": "c"})
    ),
    max_size=12,
)


@given(MESSAGES)
def test_whatever_a_transcript_holds_the_history_is_one_a_provider_accepts(messages: list[AnyMessage]) -> None:
    made = build_history(messages, model=CLAUDE, system="S")
    assert isinstance(made[0], ModelRequest)
    assert isinstance(made[-1], ModelRequest)
    assert made[-1].instructions == "S"
    seen: set[str] = set()
    waiting: list[str] = []
    for each in made:
        assert each.parts
        if isinstance(each, ModelResponse):
            assert not waiting
            waiting = [part.tool_call_id for part in each.parts if isinstance(part, ToolCallPart)]
            assert len(set(waiting)) == len(waiting)
            assert not seen & set(waiting)
            seen |= set(waiting)
            assert all(call_id.isascii() and call_id for call_id in waiting)
            assert all(part.content.strip() for part in each.parts if isinstance(part, TextPart))
        else:
            answered = [part.tool_call_id for part in each.parts if isinstance(part, ToolReturnPart)]
            assert answered == waiting
            assert all(isinstance(part, ToolReturnPart) for part in each.parts[: len(answered)])
            assert all(part.content for part in each.parts if isinstance(part, UserPromptPart))
            waiting = []
    assert not waiting
