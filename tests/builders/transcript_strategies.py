"""Hypothesis strategies for transcript lines: good ones, odd ones, and typed entries."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from instar.core.model.entry import (
    AnyEntry,
    AnyMessage,
    AssistantMessage,
    Block,
    BranchSummaryEntry,
    CompactionEntry,
    CustomEntry,
    CustomMessageEntry,
    Header,
    ImageBlock,
    LabelEntry,
    MessageEntry,
    ModelChangeEntry,
    SessionInfoEntry,
    TextBlock,
    ThinkingBlock,
    ThinkingLevelEntry,
    ToolCall,
    ToolResultMessage,
    Usage,
    UsageCost,
    UserMessage,
)
from instar.core.model.ids import EntryId, Instant, SessionId

Raw = dict[str, Any]  # reason: JSON objects of any depth, as a decoder gives them

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
objects: st.SearchStrategy[Raw] = st.dictionaries(st.text(max_size=6), json_values, max_size=3)

# Names no line has, so that they never stand for a typed field.
extras: st.SearchStrategy[Raw] = st.dictionaries(
    st.sampled_from(["x", "y.z", "fromHook", "é"]), json_values, max_size=2
)

short_text = st.text(max_size=20)
instants = st.integers(-62_135_596_800_000, 253_402_300_799_999).map(Instant)
entry_ids = st.text("0123456789abcdef", min_size=8, max_size=8).map(EntryId)
present = json_values.filter(lambda value: value is not None)
"""Any JSON value but null, which stands for "not given" in typed fields."""

blocks: st.SearchStrategy[Block] = st.one_of(
    st.builds(TextBlock, text=short_text, extra=extras),
    st.builds(ImageBlock, data=short_text, mime_type=short_text, extra=extras),
    st.builds(ThinkingBlock, thinking=short_text, signature=st.none() | short_text, extra=extras),
    st.builds(ToolCall, id=short_text, name=short_text, arguments=objects, extra=extras),
)
block_lists = st.lists(blocks, max_size=3).map(tuple)
counts = st.integers(0, 10**9)
amounts = st.floats(0, 1000)
usages = st.builds(
    Usage,
    input=counts,
    output=counts,
    cache_read=counts,
    cache_write=counts,
    total_tokens=counts,
    cost=st.builds(UsageCost, input=amounts, output=amounts, cache_read=amounts, cache_write=amounts, total=amounts),
    extra=extras,
)
user_messages = st.builds(UserMessage, content=short_text | block_lists, timestamp=st.none() | instants, extra=extras)
assistant_messages = st.builds(
    AssistantMessage,
    content=block_lists,
    api=short_text,
    provider=short_text,
    model=short_text,
    usage=usages,
    stop_reason=st.sampled_from(["stop", "length", "toolUse", "error", "aborted", "injected"]),
    timestamp=st.none() | instants,
    error_message=st.none() | short_text,
    extra=extras,
)
tool_results = st.builds(
    ToolResultMessage,
    tool_call_id=short_text,
    tool_name=short_text,
    content=block_lists,
    is_error=st.booleans(),
    timestamp=st.none() | instants,
    details=st.none() | present,
    extra=extras,
)
messages: st.SearchStrategy[AnyMessage] = st.one_of(user_messages, assistant_messages, tool_results)

_base: dict[str, st.SearchStrategy[Any]] = {  # reason: keyword arguments of `st.builds` have many types
    "id": entry_ids,
    "parent_id": st.none() | entry_ids,
    "timestamp": st.none() | instants,
    "extra": extras,
}
entries: st.SearchStrategy[AnyEntry] = st.one_of(
    st.builds(MessageEntry, message=messages, **_base),
    st.builds(
        CompactionEntry,
        summary=short_text,
        first_kept_id=entry_ids,
        tokens_before=counts,
        details=st.none() | present,
        **_base,
    ),
    st.builds(BranchSummaryEntry, from_id=short_text, summary=short_text, details=st.none() | present, **_base),
    st.builds(CustomEntry, custom_type=short_text, data=st.none() | present, **_base),
    st.builds(
        CustomMessageEntry,
        custom_type=short_text,
        content=short_text | block_lists,
        display=st.booleans(),
        details=st.none() | present,
        **_base,
    ),
    st.builds(ModelChangeEntry, provider=short_text, model_id=short_text, **_base),
    st.builds(ThinkingLevelEntry, thinking_level=short_text, **_base),
    st.builds(LabelEntry, target_id=short_text, label=st.none() | short_text, **_base),
    st.builds(SessionInfoEntry, name=short_text, **_base),
)
headers = st.builds(
    Header,
    id=short_text.map(SessionId),
    timestamp=st.none() | instants,
    cwd=short_text,
    version=st.integers(1, 3),
    parent_session=st.none() | short_text,
    extra=extras,
)


@st.composite
def odd_objects(draw: st.DrawFn, good: Raw) -> Raw:
    """`good` with fields dropped, replaced and added, at any depth."""
    odd: Raw = {}
    for name, value in good.items():
        match draw(st.integers(0, 9)):
            case 0:
                continue
            case 1:
                odd[name] = draw(json_values)
            case _:
                odd[name] = _odd_value(draw, value)
    odd.update(draw(st.dictionaries(st.text(max_size=4), json_values, max_size=1)))
    return odd


def _odd_value(draw: st.DrawFn, value: Any) -> Any:  # reason: walks JSON of any shape
    if isinstance(value, dict):
        return draw(odd_objects(value))
    if isinstance(value, list):
        return [draw(json_values) if draw(st.integers(0, 9)) == 0 else _odd_value(draw, item) for item in value]
    return value
