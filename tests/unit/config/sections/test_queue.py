"""The configuration of queues in its spellings (QUEUE-1, QUEUE-2, QUEUE-11)."""

from __future__ import annotations

import pytest

from instar.config.sections.queue import parse_queue
from instar.core.queue.settings import QueueConfig
from instar.errors import ConfigError


def parse(queue=None, **root):
    return parse_queue({"messages": {"queue": queue}, **root})


def test_nothing_configured_says_nothing():
    assert parse_queue({}) == QueueConfig()


def test_every_field_is_read():
    queue = parse(
        {
            "mode": "Fifo",
            "byChannel": {"tg": "collect", "telegram": "interrupt", "irc": None},
            "debounceMs": "2s",
            "debounceMsByChannel": {"tg": 750},
            "cap": 5,
            "drop": "old",
        }
    )
    assert queue == QueueConfig(
        mode="followup",
        mode_by_channel={"telegram": "interrupt"},
        debounce_ms=2000,
        debounce_ms_by_channel={"telegram": 750},
        cap=5,
        drop="old",
    )


def test_the_lane_that_all_runs_share_has_a_size():
    assert parse(agents={"defaults": {"maxConcurrent": 3}}).max_concurrent == 3
    assert parse(agents={"defaults": {"subagents": {"maxConcurrent": 2}}}).max_subagents == 2
    assert parse(cron={"maxConcurrentRuns": 4}).max_cron_runs == 4


@pytest.mark.parametrize(
    ("root", "path"),
    [
        ({"messages": {"queue": {"mode": "parallel"}}}, "messages.queue.mode"),
        ({"messages": {"queue": {"byChannel": {"irc": 3}}}}, "messages.queue.byChannel.irc"),
        ({"messages": {"queue": {"debounceMs": "soon"}}}, "messages.queue.debounceMs"),
        ({"messages": {"queue": {"cap": 0}}}, "messages.queue.cap"),
        ({"messages": {"queue": {"drop": "all"}}}, "messages.queue.drop"),
        ({"messages": {"queue": 3}}, "messages.queue"),
        ({"agents": {"defaults": {"maxConcurrent": 0}}}, "agents.defaults.maxConcurrent"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_its_path(root, path):
    with pytest.raises(ConfigError) as caught:
        parse_queue(root)
    assert caught.value.path == path
