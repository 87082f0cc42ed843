"""The configuration of memory (MEM-1…4)."""

from __future__ import annotations

import pytest

from instar.config.sections.memory import MemorySettings, parse_memory
from instar.errors import ConfigError


def parse(**fields):
    return parse_memory({"memory": fields})


def test_memory_is_on_and_local_and_brings_five_snippets():
    assert parse_memory({}) == MemorySettings(enabled=True, store="local", retrieve_count=5)


def test_every_field_is_read():
    assert parse(enabled=False, store=" Local ", retrieveCount=0) == MemorySettings(enabled=False, retrieve_count=0)
    assert parse(store=" ", retrieveCount=7.0) == MemorySettings(retrieve_count=7)


def test_another_store_is_known_when_it_is_there():
    assert parse_memory({"memory": {"store": "redis"}}, stores=frozenset({"local", "redis"})).store == "redis"


def test_an_unknown_store_is_an_error_that_names_the_known_ones():
    with pytest.raises(ConfigError, match='"local"') as caught:
        parse(store="cloud")
    assert caught.value.path == "memory.store"


@pytest.mark.parametrize("count", [-1, 1.5, "5", True])
def test_a_count_is_a_whole_number_from_zero_on(count):
    with pytest.raises(ConfigError) as caught:
        parse(retrieveCount=count)
    assert caught.value.path == "memory.retrieveCount"
