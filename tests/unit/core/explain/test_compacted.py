"""What people are told of a compaction (COMPACT-20, COMPACT-23)."""

from __future__ import annotations

import pytest

from instar.core.context.outcome import Compacted
from instar.core.explain.compacted import build_end_notice, build_start_notice, describe_outcome

DONE = Compacted(status="compacted", tokens_before=12_000, tokens_after=3_000, window_tokens=200_000, count=2)
FAILED = Compacted(status="failed", why="The model is away.")


def test_whoever_asks_is_told_the_sizes_and_how_full_the_window_is():
    assert describe_outcome(DONE) == "Compacted: 12k → 3.0k tokens in the window, 2% of 200k."
    assert describe_outcome(Compacted(status="compacted", tokens_before=900, tokens_after=100)) == (
        "Compacted: 900 → 100 tokens in the window."
    )
    assert describe_outcome(FAILED) == "The compaction failed: The model is away."
    assert describe_outcome(Compacted(status="skipped", why="Too short.")) == "Nothing to compact: Too short."
    told = describe_outcome(Compacted(status="skipped", why="Too short.", tokens_before=2_500, window_tokens=8_192))
    assert told == "Nothing to compact: Too short. In the window: 2.5k of 8.2k tokens (31%)."
    told = describe_outcome(Compacted(status="failed", why="The model is away.", tokens_before=900))
    assert told == "The compaction failed: The model is away. In the window: 900 tokens."


def test_whoever_takes_a_summary_back_is_told_of_that():
    assert describe_outcome(DONE, undo=True) == (
        "The newest summary is taken back: 12k → 3.0k tokens in the window, 2% of 200k."
    )
    assert describe_outcome(Compacted(status="skipped", why="No summary."), undo=True) == "Nothing to undo: No summary."
    assert describe_outcome(Compacted(status="failed", why="It was stopped."), undo=True) == (
        "The summary stays: It was stopped."
    )


@pytest.mark.parametrize("level", ["on", "full"])
def test_verbose_tells_begin_and_end_with_the_count(level):
    assert build_start_notice(level, count=1) == (
        "(Compaction 2: the older part of this conversation is being summarised.)"
    )
    assert build_end_notice(DONE, level, notify_user=False) == (
        "(Compaction 2 is done: 12k → 3.0k tokens in the window, 2% of 200k.)"
    )
    assert "The model is away." in build_end_notice(FAILED, level, notify_user=False)


@pytest.mark.parametrize("level", [None, "off"])
def test_everybody_else_is_told_only_where_it_is_configured(level):
    assert build_start_notice(level, count=1) is None
    assert build_end_notice(DONE, level, notify_user=False) is None
    assert build_end_notice(FAILED, level, notify_user=False) is None
    assert "put into a summary" in build_end_notice(DONE, level, notify_user=True)
    assert "could not be summarised: The model is away." in build_end_notice(FAILED, level, notify_user=True)


@pytest.mark.parametrize("status", ["skipped", "resting"])
def test_what_was_not_tried_is_not_told(status):
    assert build_end_notice(Compacted(status=status), "on", notify_user=True) is None
