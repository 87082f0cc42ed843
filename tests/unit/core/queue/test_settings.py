"""The words of the queue and the order of their layers (QUEUE-1, QUEUE-10…12, X-17)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.model.ids import ChannelName
from instar.core.model.session import Overrides
from instar.core.queue.settings import (
    DEFAULT_QUEUE,
    QueueConfig,
    QueueDirective,
    QueueSettings,
    describe_queue,
    parse_queue_cap,
    parse_queue_directive,
    parse_queue_drop,
    parse_queue_mode,
    resolve_queue_settings,
)

TELEGRAM = ChannelName("telegram")


@pytest.mark.parametrize(
    ("word", "mode"),
    [
        ("steer", "steer"),
        ("steering", "steer"),
        ("queue", "steer"),
        ("queued", "steer"),
        ("followup", "followup"),
        ("follow-up", None),
        ("followups", "followup"),
        ("follow-ups", "followup"),
        ("fifo", "followup"),
        ("collect", "collect"),
        (" Coalesce ", "collect"),
        ("interrupt", "interrupt"),
        ("interrupts", "interrupt"),
        ("abort", "interrupt"),
        ("fanout", "fanout"),
        ("FAN-OUT", "fanout"),
        ("steer-backlog", "steer-backlog"),
        ("steer+backlog", "steer-backlog"),
        ("steer_backlog", "steer-backlog"),
    ],
)
def test_every_accepted_word_means_its_mode(word, mode):
    assert parse_queue_mode(word) == mode


@pytest.mark.parametrize("word", ["parallel", "", "steer backlog", None, 3, True])
def test_other_words_are_no_mode(word):
    assert parse_queue_mode(word) is None


@pytest.mark.parametrize(
    ("word", "drop"), [("old", "old"), (" NEW ", "new"), ("summarize", "summarize"), ("x", None), (1, None)]
)
def test_drop_policies_are_old_new_and_summarize(word, drop):
    assert parse_queue_drop(word) == drop


@pytest.mark.parametrize(
    ("value", "cap"),
    [
        *[(1, 1), (20.0, 20), ("7", 7), (" 7 ", 7)],
        *[(0, None), (-3, None), (1.5, None), ("x", None), ("", None), (True, None), (None, None)],
        *[(float("inf"), None), (float("nan"), None), ("٣", None), ("²", None)],
    ],
)
def test_a_cap_is_a_whole_number_of_at_least_one(value, cap):
    assert parse_queue_cap(value) == cap


def test_defaults_are_steer_half_a_second_twenty_summarised():
    assert QueueSettings(mode="steer", debounce_ms=500, cap=20, drop="summarize") == DEFAULT_QUEUE


def test_with_no_word_anywhere_the_defaults_hold():
    settings = resolve_queue_settings(QueueConfig(), channel=None, overrides=Overrides())
    assert (settings.mode, settings.debounce_ms, settings.cap, settings.drop) == ("steer", 500, 20, "summarize")
    assert set(settings.sources.values()) == {"default"}


LAYERS = {
    "inline": QueueDirective(mode="fanout", debounce_ms=1, cap=1, drop="new"),
    "overrides": Overrides(queue_mode="collect", queue_debounce_ms=2, queue_cap=2, queue_drop="old"),
    "config": QueueConfig(
        mode="interrupt",
        mode_by_channel={TELEGRAM: "followup"},
        debounce_ms=5,
        debounce_ms_by_channel={TELEGRAM: 3},
        cap=6,
        drop="new",
        max_concurrent=9,
    ),
}


def test_the_message_itself_is_the_strongest_layer():
    settings = resolve_queue_settings(
        LAYERS["config"], channel=TELEGRAM, overrides=LAYERS["overrides"], inline=LAYERS["inline"]
    )
    assert (settings.mode, settings.debounce_ms, settings.cap, settings.drop) == ("fanout", 1, 1, "new")
    assert settings.sources["mode"] == "inline"
    assert settings.max_concurrent == 9


def test_the_session_comes_before_the_configuration():
    settings = resolve_queue_settings(LAYERS["config"], channel=TELEGRAM, overrides=LAYERS["overrides"])
    assert (settings.mode, settings.debounce_ms, settings.cap, settings.drop) == ("collect", 2, 2, "old")
    assert set(settings.sources.values()) == {"session"}


def test_the_channel_comes_before_the_general_word():
    settings = resolve_queue_settings(LAYERS["config"], channel=TELEGRAM, overrides=Overrides(), channel_debounce_ms=4)
    assert (settings.mode, settings.debounce_ms, settings.cap, settings.drop) == ("followup", 3, 6, "new")
    assert settings.sources == {"mode": "channel", "debounce_ms": "channel", "cap": "config", "drop": "config"}


def test_a_channel_may_prefer_a_quiet_time_of_its_own():
    settings = resolve_queue_settings(
        LAYERS["config"], channel=ChannelName("irc"), overrides=Overrides(), channel_debounce_ms=4
    )
    assert (settings.mode, settings.debounce_ms) == ("interrupt", 4)


def test_without_a_channel_the_general_word_holds():
    settings = resolve_queue_settings(LAYERS["config"], channel=None, overrides=Overrides())
    assert (settings.mode, settings.debounce_ms) == ("interrupt", 5)


def test_an_override_that_is_no_word_counts_as_absent():
    overrides = Overrides(queue_mode="parallel", queue_drop="shuffle")
    settings = resolve_queue_settings(QueueConfig(), channel=None, overrides=overrides)
    assert (settings.mode, settings.drop) == ("steer", "summarize")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", QueueDirective()),
        ("collect", QueueDirective(mode="collect")),
        (
            "collect debounce:2s cap:25 drop:summarize",
            QueueDirective(mode="collect", debounce_ms=2000, cap=25, drop="summarize"),
        ),
        ("debounce=750 DROP=Old", QueueDirective(debounce_ms=750, drop="old")),
        ("debounce:0", QueueDirective(debounce_ms=0)),
        ("followup collect", QueueDirective(mode="collect")),
        ("default", QueueDirective(reset=True)),
        ("Reset", QueueDirective(reset=True)),
        ("clear", QueueDirective(reset=True)),
        ("collect  Please look at this", QueueDirective(mode="collect", rest="Please look at this")),
        ("hello  there", QueueDirective(rest="hello  there")),
        ("collect hello cap:3", QueueDirective(mode="collect", rest="hello cap:3")),
        ("cap:many", QueueDirective(problem="cap:many")),
        ("drop:all", QueueDirective(problem="drop:all")),
        ("debounce:soon", QueueDirective(problem="debounce:soon")),
        ("debounce:", QueueDirective(rest="debounce:")),
    ],
)
def test_queue_options_are_read_up_to_the_first_unknown_word(text, expected):
    assert parse_queue_directive(text) == expected


@pytest.mark.parametrize(
    ("text", "shows"),
    [("", True), ("  ", True), ("collect", False), ("reset", False), ("hello", False), ("cap:x", False)],
)
def test_only_the_bare_command_shows_the_current_values(text, shows):
    assert parse_queue_directive(text).shows is shows


@given(st.text())
def test_no_text_breaks_the_reader(text):
    directive = parse_queue_directive(text)
    assert directive.rest in text


def test_the_bare_command_tells_what_holds_and_who_said_so():
    config = QueueConfig(mode="collect")
    told = describe_queue(resolve_queue_settings(config, channel=None, overrides=Overrides(queue_cap=5)))
    assert told == "Queue: collect (configured), debounce 500 ms (default), cap 5 (set here), drop summarize (default)"
    assert describe_queue(DEFAULT_QUEUE).startswith("Queue: steer (default), ")
