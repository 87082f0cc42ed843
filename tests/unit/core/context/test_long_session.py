"""The rules of a context together: a long session in a small window, and a real one in two windows."""

import json
import random
from datetime import UTC

import pytest

from instar.core.context.build import apply_entry, build_view
from instar.core.context.chunks import plan_chunks
from instar.core.context.compaction import (
    CompactionPlan,
    CompactionSettings,
    decide_threshold,
    effective_reserve,
    plan_compaction,
)
from instar.core.context.compaction_entry import build_entry
from instar.core.context.fit import fit_messages
from instar.core.context.pins import PIN_TYPE, build_pin_data
from instar.core.context.pruning import PruningSettings, plan_pruning
from instar.core.context.render import render_messages
from instar.core.context.tokens import estimate_message
from instar.core.model.entry import AssistantMessage, ToolCall, ToolResultMessage, UserMessage
from instar.core.transcript.reading import read_transcript
from tests.builders.transcripts import START, Branch, assistant, call, result, user

SETTINGS = CompactionSettings()


class Session:
    """A session that is compacted as the gateway does it, with a model that writes summaries of 200 tokens."""

    def __init__(self, window):
        self.window = window
        self.branch = Branch()
        self.view = build_view([])
        self.compactions = 0

    def say(self, message):
        self.branch.message(message)
        self.follow()

    def follow(self):
        view = apply_entry(self.view, self.branch.entries[-1])
        self.view = build_view(self.branch.entries) if view is None else view

    def request(self):
        """The messages of one request: valid, and never above the window."""
        rendered = render_messages(self.view.messages(), UTC).messages
        budget = self.window - 1000
        fitted = fit_messages(rendered, budget, keep_first=len(self.view.head_messages()))
        assert sum(estimate_message(placed.message) for placed in fitted.messages) <= budget
        assert_valid([placed.message for placed in fitted.messages])
        return fitted

    def compact_if_due(self):
        due = decide_threshold(SETTINGS, context_tokens=self.view.context.tokens, window_tokens=self.window)
        if due.outcome != "compact":
            return
        plan = plan_compaction(self.view, SETTINGS, window_tokens=self.window, reason="threshold")
        assert isinstance(plan, CompactionPlan)
        for chunk in plan_chunks(plan.history, self.window):
            assert_whole_blocks(chunk)
        entry = build_entry(plan, "s" * 800, entry_id=f"c{self.compactions}", parent_id=self.branch.leaf, at=START)
        assert entry is not None
        self.compactions += 1
        self.branch.entries.append(entry)
        self.branch.move(entry.id)
        self.follow()


def assert_valid(messages):
    assert isinstance(messages[0], UserMessage)
    assert_whole_blocks(messages)


def assert_whole_blocks(messages):
    waiting = []
    for message in (getattr(item, "message", item) for item in messages):
        if isinstance(message, ToolResultMessage):
            assert message.tool_call_id in waiting
            waiting.remove(message.tool_call_id)
            continue
        assert waiting == []
        if isinstance(message, AssistantMessage):
            waiting = [block.id for block in message.content if isinstance(block, ToolCall)]
    assert waiting == []


@pytest.mark.parametrize("seed", range(3))
def test_long_session_stays_valid_and_inside_a_small_window(seed):
    draw = random.Random(seed)
    session = Session(window=8000)
    for turn in range(400):
        session.say(user(f"question {turn} " + "q" * draw.randrange(600)))
        for step in range(draw.randrange(4)):
            session.request()
            ids = [f"c{turn}-{step}-{number}" for number in range(draw.randrange(1, 4))]
            session.say(assistant("let me look", *(call(name, "read", {"path": name}) for name in ids)))
            for name in ids:
                session.say(result(name, "r" * draw.randrange(4000)))
        session.request()
        session.say(assistant(f"answer {turn} " + "a" * draw.randrange(800)))
        session.compact_if_due()

    assert session.compactions >= 3
    assert session.view == build_view(session.branch.entries)


def test_pinned_words_are_in_every_later_request():
    session = Session(window=8000)
    session.say(user("the door code is 4711"))
    pin = build_pin_data(session.branch.entries[0], pinned=True, in_view=True)
    session.branch.custom(PIN_TYPE, pin)
    session.follow()
    for turn in range(120):
        session.say(user(f"question {turn} " + "q" * 300))
        session.say(assistant("a" * 600))
        session.compact_if_due()
        shown = [placed.message.content for placed in session.request().messages]
        assert "the door code is 4711" in shown

    assert session.compactions >= 2


@pytest.mark.parametrize("window", [32_000, 200_000])
def test_real_session_is_pruned_and_compacted_into_its_window(recorded_data, window):
    lines = recorded_data("transcripts/large-session.jsonl").read_bytes().splitlines()
    entries = list(read_transcript(lines, json.loads).entries)
    view = build_view(entries)
    pruned = plan_pruning(
        view.messages(),
        PruningSettings(mode="cache-ttl"),
        window_tokens=window,
        now=view.last_call_at + 300_000,
        last_call_at=view.last_call_at,
    )

    plan = plan_compaction(view, SETTINGS, window_tokens=window, reason="threshold")
    entry = build_entry(plan, "s" * 4000, entry_id="c", parent_id=entries[-1].id, at=START)
    after = build_view([*entries, entry])

    assert pruned.chars_after < pruned.chars_before
    assert after.context.tokens <= window - effective_reserve(SETTINGS, window)
    for chunk in plan_chunks(plan.history, window):
        assert sum(estimate_message(placed.message) for placed in chunk) <= window
    assert_valid([placed.message for placed in render_messages(after.messages(), UTC).messages])
    assert_valid([placed.message for placed in render_messages(pruned.messages, UTC).messages])
