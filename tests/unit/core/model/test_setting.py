"""The strongest layer that says something wins, and says so (RESOLVE-5, WHY-6)."""

from __future__ import annotations

from instar.core.model.setting import Setting, pick_setting


def test_the_first_layer_that_says_something_wins():
    assert pick_setting(("inline", None), ("session", "a"), ("channel", "b"), default="c") == Setting(
        value="a", source="session"
    )


def test_silence_everywhere_leaves_the_default():
    assert pick_setting(("session", None), default=5) == Setting(value=5, source="default")


def test_a_zero_is_a_word_and_not_silence():
    assert pick_setting(("session", 0), ("config", 9), default=5) == Setting(value=0, source="session")
