"""What may be shown around an answer (CMD-28)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instar.core.explain.answered import format_thoughts, format_usage
from instar.core.model.entry import ThinkingBlock, Usage, UsageCost
from instar.core.turn.ends import build_aborted_message
from tests.builders.turns import NOW


def answer(*thoughts, **usage):
    message = build_aborted_message("Four.", now=NOW)
    blocks = tuple(ThinkingBlock(thinking=one) for one in thoughts)
    return replace(message, content=(*blocks, *message.content), provider="p", model="m", usage=Usage(**usage))


def test_thoughts_are_quoted_and_an_answer_without_any_has_none():
    assert format_thoughts(answer("Two.\n\nAnd two.", " ", "So.")) == "Thoughts:\n> Two.\n>\n> And two.\n>\n> So."
    assert format_thoughts(answer()) is None
    assert format_thoughts(answer("  ")) is None


@pytest.mark.parametrize("level", [None, "off", "some"])
def test_tokens_are_shown_to_who_wants_them(level):
    assert format_usage(answer(input=5), level) is None


def test_the_full_line_names_cache_price_and_model():
    told = answer(input=1_000, cache_read=500, cache_write=200, output=40, cost=UsageCost(total=0.5))
    assert format_usage(told, "tokens") == "(1.7k tokens in, 40 out)"
    assert format_usage(told, "full") == "(1.7k tokens in, 40 out · 500 of them cached · $0.5000 · p/m)"
    assert format_usage(answer(input=5), "full") == "(5 tokens in, 0 out · p/m)"
