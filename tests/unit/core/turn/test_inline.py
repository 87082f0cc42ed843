"""Directives in a text hold for the turn of their message (CMD-28, STATUS-15, QUEUE-11)."""

from __future__ import annotations

import pytest

from instar.core.model.change import TurnOptions
from instar.core.policy.command_kinds import (
    Elevated,
    Inline,
    Model,
    Queue,
    Reasoning,
    Status,
    Think,
    UsageMode,
    Verbose,
)
from instar.core.queue.settings import QueueDirective
from instar.core.turn.inline import apply_inline, asks_for_status, find_inline_queue
from tests.builders.turns import build_item


def inline(*directives, text="why?"):
    return Inline(directives=directives, text=text, at_start=True)


@pytest.mark.parametrize(
    ("directive", "options"),
    [
        (Think(level="high"), {"thinking": "high"}),
        (Think(level="low", reasoning="stream"), {"thinking": "low", "reasoning": "stream"}),
        (Model(model="p/m"), {"model": "p/m"}),
        (Verbose(level="full"), {"verbose": "full"}),
        (Reasoning(level="on"), {"reasoning": "on"}),
        (UsageMode(level="tokens"), {"usage": "tokens"}),
        (Status(), {}),
        (Elevated(level="on"), {"elevated": "on"}),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, dict) else "",
)
def test_each_directive_sets_what_it_says(directive, options):
    item = apply_inline(build_item("/x why?"), inline(directive))
    assert item.submission.options == TurnOptions(**options)
    assert item.submission.inbound.text == "why?"


def test_words_win_over_what_the_caller_asked_and_leave_the_rest():
    item = build_item(options=TurnOptions(thinking="low", deliver=True))
    options = apply_inline(item, inline(Think(level="high"))).submission.options
    assert options == TurnOptions(thinking="high", deliver=True)


def test_status_and_queue_are_found_among_them():
    directive = QueueDirective(mode="followup")
    assert asks_for_status(inline(Think(level="high"), Status()))
    assert not asks_for_status(inline(Think(level="high")))
    assert find_inline_queue(inline(Status(), Queue(directive=directive))) == directive
    assert find_inline_queue(inline(Status())) is None
