"""The line before the first reply after an automatic reset (LOSS-7)."""

from __future__ import annotations

import pytest

from instar.core.lifecycle.notice import build_reset_notice, format_span
from instar.core.lifecycle.reset import ResetPolicy


def test_a_daily_reset_names_its_hour_and_the_way_back():
    line = build_reset_notice("daily", policy=ResetPolicy(at_hour=4, at_minute=5))
    assert line == "New session (daily reset at 04:05). /resume brings the last one back."


def test_an_idle_reset_names_its_window():
    line = build_reset_notice("idle", policy=ResetPolicy(mode="idle", idle_s=7200))
    assert line == "New session (nothing was written for 2 hours). /resume brings the last one back."


def test_an_idle_reset_without_a_window_still_says_why():
    line = build_reset_notice("idle", policy=ResetPolicy(mode="idle", idle_s=None))
    assert line is not None
    assert "idle" in line


def test_nothing_is_said_when_the_policy_wants_silence():
    assert build_reset_notice("daily", policy=ResetPolicy(notify=False)) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "1 second"),
        (90, "90 seconds"),
        (60, "1 minute"),
        (5400, "90 minutes"),
        (3600, "1 hour"),
        (86_400, "1 day"),
        (604_800, "1 week"),
        (1_209_600, "2 weeks"),
    ],
)
def test_a_span_is_told_in_its_largest_whole_unit(seconds, text):
    assert format_span(seconds) == text
