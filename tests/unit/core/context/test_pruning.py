"""Old tool results are trimmed from what is sent; everything else stays."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.context.pruning import (
    HardClear,
    PruningSettings,
    SoftTrim,
    describe_pass,
    message_chars,
    plan_pruning,
    resolve_mode,
)
from instar.core.model.entry import OtherBlock, ThinkingBlock, ToolResultMessage
from instar.core.transcript.codec_messages import format_message, parse_message
from instar.core.transcript.repair import PlacedMessage
from tests.builders.transcripts import assistant, call, image, other, result, text, user

ON = PruningSettings(mode="cache-ttl")
NOW = 1_800_000_000_000


def prune(*messages, settings=ON, window=20_000, last_call_at=NOW - 600_000):
    placed = [PlacedMessage(entry_id=f"e{index}", message=message) for index, message in enumerate(messages)]
    return plan_pruning(placed, settings, window_tokens=window, now=NOW, last_call_at=last_call_at)


def conversation(*results):
    return user("hi"), *results, assistant("a"), assistant("b"), assistant("c")


LONG = "".join(str(digit % 10) for digit in range(30_000))


def test_long_result_keeps_its_beginning_and_end_and_says_how_much_is_missing():
    done = prune(*conversation(result("c1", LONG)))

    shortened = done.messages[1].message.content[0].text
    head, note = shortened[: 1500 + 5 + 1500], shortened[1500 + 5 + 1500 :]
    assert head == LONG[:1500] + "\n...\n" + LONG[-1500:]
    assert note.startswith("\n\n[")
    assert len(note) <= 162
    assert all(number in note for number in ("1500", "30000"))
    assert (done.reason, done.actions) == ("changed", ("keep", "soft", "keep", "keep", "keep"))
    assert done.resets_clock
    assert done.chars_after == done.chars_before - 30_000 + len(shortened)


def test_shortened_result_keeps_its_place_call_tool_and_details():
    message = replace(result("c1", LONG, name="exec", details={"code": 0}), is_error=True)

    placed = prune(*conversation(message)).messages[1]

    assert placed.entry_id == "e1"
    assert replace(placed.message, content=message.content) == message


def test_result_read_from_plain_text_is_shortened_in_its_line_too():
    message = parse_message({"role": "toolResult", "toolCallId": "c1", "toolName": "x", "content": LONG})

    shortened = prune(*conversation(message)).messages[1].message

    assert format_message(shortened)["content"][0]["text"] == shortened.content[0].text


def test_text_of_several_blocks_is_joined_by_newlines():
    done = prune(*conversation(result("c1", "a" * 15_000, "b" * 15_000)), settings=replace(ON, soft_trim_ratio=0))

    assert "of 30001 characters" in done.messages[1].message.content[0].text


def test_tail_of_no_characters_shows_none():
    settings = replace(ON, soft_trim=SoftTrim(max_chars=100, head_chars=10, tail_chars=0))

    shortened = prune(*conversation(result("c1", LONG)), settings=settings).messages[1].message.content[0].text

    assert shortened.startswith("0123456789\n...\n\n\n[")


def test_results_are_cleared_while_trimming_is_not_enough():
    settings = replace(ON, min_prunable_tool_chars=0, soft_trim=SoftTrim(max_chars=10**9))

    done = prune(*conversation(result("c1", "a" * 20_000), result("c2", "b" * 30_000)), settings=settings)

    assert done.actions[1:3] == ("hard", "keep")
    assert done.messages[1].message.content == (text("[Old tool result content cleared]"),)


def test_clearing_stops_when_there_is_nothing_left_to_clear():
    settings = replace(ON, min_prunable_tool_chars=0, soft_trim=SoftTrim(max_chars=10**9))

    done = prune(user("x" * 70_000), result("c1", "a" * 100), *conversation()[1:], settings=settings)

    assert done.actions[:2] == ("keep", "hard")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"hard_clear": HardClear(enabled=False)}, "nothing-to-do"),
        ({"min_prunable_tool_chars": 50_001}, "nothing-to-do"),
        ({"min_prunable_tool_chars": 50_000}, "changed"),
        ({"hard_clear_ratio": 0.9}, "nothing-to-do"),
    ],
)
def test_clearing_needs_to_be_on_wanted_and_worth_it(changes, reason):
    settings = replace(ON, soft_trim=SoftTrim(max_chars=10**9), **changes)

    assert prune(*conversation(result("c1", "a" * 50_000)), settings=settings).reason == reason


@pytest.mark.parametrize(
    ("settings", "last_call_at", "reason"),
    [
        (PruningSettings(), NOW - 600_000, "disabled"),
        (replace(ON, mode="off"), NOW - 600_000, "disabled"),
        (ON, None, "no-cache-touch"),
        (replace(ON, ttl_ms=0), None, "no-cache-touch"),
        (replace(ON, ttl_ms=0), NOW - 600_000, "ttl-zero"),
        (ON, NOW - 299_999, "ttl-not-expired"),
        (ON, NOW + 1, "ttl-not-expired"),
    ],
)
def test_gate_stops_the_pass_before_it_looks(settings, last_call_at, reason):
    done = prune(*conversation(result("c1", LONG)), settings=settings, last_call_at=last_call_at)

    assert (done.ran, done.reason, set(done.actions), done.resets_clock) == (False, reason, {"keep"}, False)


def test_window_that_nobody_knows_counts_as_200000_tokens():
    assert prune(*conversation(result("c1", "a" * 239_600)), window=0).reason == "below-soft-ratio"
    assert prune(*conversation(result("c1", "a" * 240_000)), window=0).reason == "changed"


def test_result_with_an_image_is_left_alone():
    done = prune(*conversation(result("c1", LONG, image()), result("c2", LONG)))

    assert done.actions[1:3] == ("keep", "soft")


@pytest.mark.parametrize(
    ("message", "size"),
    [
        (user("abc"), 3),
        (user([text("ab"), image()]), 8002),
        (assistant("ab", ThinkingBlock(thinking="cd"), call("c", "read", {"a": 1})), 4 + len('{"a":1}')),
        (assistant(OtherBlock(raw={"x": "y"})), 0),
        (other("custom", content="x" * 1000), 256),
    ],
)
def test_size_of_a_message(message, size):
    assert message_chars(message) == size


@pytest.mark.parametrize(
    ("mode", "provider", "model", "effective"),
    [
        (None, "anthropic", "claude-sonnet-4-5", "cache-ttl"),
        (None, "openrouter", "anthropic/claude-sonnet-4-5", "cache-ttl"),
        (None, "Anthropic", "Claude-Sonnet-4-5", "cache-ttl"),
        (None, "OpenRouter", "Anthropic/Claude-Sonnet-4-5", "cache-ttl"),
        (None, "openrouter", "openai/gpt-6", "off"),
        (None, "openrouter", "anthropic-like/x", "off"),
        (None, "openai", "gpt-6", "off"),
        ("off", "anthropic", "claude-sonnet-4-5", "off"),
        ("cache-ttl", "openai", "gpt-6", "cache-ttl"),
    ],
)
def test_pruning_is_on_for_anthropic_models_unless_somebody_said_otherwise(mode, provider, model, effective):
    assert resolve_mode(PruningSettings(mode=mode), provider=provider, model=model).mode == effective


def test_decision_tells_what_was_done_in_numbers():
    decision = describe_pass(prune(*conversation(result("c1", LONG))))

    assert (decision.kind, decision.outcome, decision.rule) == ("prune", "changed", "PRUNE-12")
    assert decision.inputs["softTrimmed"] == 1
    assert decision.inputs["hardCleared"] == 0


def test_decision_about_cleared_results_names_their_rule():
    settings = replace(ON, min_prunable_tool_chars=0, soft_trim=SoftTrim(max_chars=10**9))

    assert describe_pass(prune(*conversation(result("c1", "a" * 50_000)), settings=settings)).rule == "PRUNE-15"


some_messages = st.lists(
    st.one_of(
        st.integers(0, 9000).map(lambda size: user("u" * size)),
        st.integers(0, 900).map(lambda size: assistant("a" * size)),
        st.tuples(st.integers(0, 20_000), st.booleans()).map(
            lambda spec: result("c", "r" * spec[0], *([image()] if spec[1] else []))
        ),
        st.just(other("custom", content="x")),
    ),
    max_size=20,
)
some_settings = st.builds(
    PruningSettings,
    mode=st.just("cache-ttl"),
    keep_last_assistants=st.integers(0, 3),
    soft_trim_ratio=st.floats(0, 1),
    hard_clear_ratio=st.floats(0, 1),
    min_prunable_tool_chars=st.integers(0, 9000),
    soft_trim=st.builds(
        SoftTrim, max_chars=st.integers(0, 5000), head_chars=st.integers(0, 2000), tail_chars=st.integers(0, 2000)
    ),
)


@given(messages=some_messages, settings=some_settings)
def test_only_results_between_head_and_tail_are_ever_altered(messages, settings):
    done = prune(*messages, settings=settings, window=10_000)

    assert len(done.messages) == len(done.actions) == len(messages)
    for index, (before, placed, action) in enumerate(zip(messages, done.messages, done.actions, strict=True)):
        assert (action == "keep") == (placed.message == before)
        if action != "keep":
            assert isinstance(before, ToolResultMessage)
            assert placed.message == replace(before, content=placed.message.content)
            assert any(type(earlier).__name__ == "UserMessage" for earlier in messages[:index])
            later = [m for m in messages[index:] if type(m).__name__ == "AssistantMessage"]
            assert len(later) >= settings.keep_last_assistants
    assert done.chars_after == sum(message_chars(placed.message) for placed in done.messages)


@given(messages=some_messages, settings=some_settings)
def test_pass_never_changes_the_messages_it_was_given(messages, settings):
    before = list(messages)

    prune(*messages, settings=settings)

    assert messages == before
