"""Which runs share the places that a gateway has (QUEUE-2)."""

from __future__ import annotations

import pytest

from instar.core.model.ids import SessionKey
from instar.core.queue.pools import pool_size, resolve_pool
from instar.core.queue.settings import QueueConfig


@pytest.mark.parametrize(
    ("key", "pool"),
    [
        ("agent:main:main", "main"),
        ("agent:main:telegram:group:1", "main"),
        ("agent:main:hook:abc", "main"),
        ("global", "main"),
        ("agent:main:subagent:1", "subagent"),
        ("agent:main:acp:1", "subagent"),
        ("agent:main:cron:daily", "cron"),
    ],
)
def test_spawned_sessions_and_jobs_have_places_of_their_own(key, pool):
    assert resolve_pool(SessionKey(key)) == pool


def test_each_pool_has_its_size():
    config = QueueConfig(max_concurrent=3)
    assert [pool_size(config, pool) for pool in ("main", "subagent", "cron")] == [3, 8, 1]
