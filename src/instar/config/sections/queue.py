"""`messages.queue` and the limits of lanes: what they do with messages (QUEUE-1, 2, 10, 11, 13)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from instar.config.read import join_path, read_object, read_whole
from instar.config.sections.agents import agent_defaults
from instar.core.model.ids import ChannelName
from instar.core.model.quantity import parse_duration_ms
from instar.core.queue.settings import QueueConfig, QueueMode, parse_queue_cap, parse_queue_drop, parse_queue_mode
from instar.core.routing.normalize import normalize_channel
from instar.errors import ConfigError

__all__ = ["parse_queue"]

T = TypeVar("T")


def parse_queue(root: Mapping[str, object]) -> QueueConfig:
    """The queue settings of a whole configuration whose aliases are applied.

    Quiet times may be durations; bare numbers are milliseconds. Raises ConfigError for a word or number that is none.
    """
    path = "messages.queue"
    fields = read_object(read_object(root.get("messages"), "messages").get("queue"), path)
    defaults, built_in = agent_defaults(root), QueueConfig()
    spawned = read_object(defaults.get("subagents"), "agents.defaults.subagents")
    jobs = read_object(root.get("cron"), "cron")
    limit = read_whole(defaults.get("maxConcurrent"), "agents.defaults.maxConcurrent", least=1)
    spawned_limit = read_whole(spawned.get("maxConcurrent"), "agents.defaults.subagents.maxConcurrent", least=1)
    job_limit = read_whole(jobs.get("maxConcurrentRuns"), "cron.maxConcurrentRuns", least=1)
    return QueueConfig(
        mode=_read_mode(fields.get("mode"), f"{path}.mode"),
        mode_by_channel=_read_by_channel(fields.get("byChannel"), f"{path}.byChannel", read=_read_mode),
        debounce_ms=_read_debounce(fields.get("debounceMs"), f"{path}.debounceMs"),
        debounce_ms_by_channel=_read_by_channel(
            fields.get("debounceMsByChannel"), f"{path}.debounceMsByChannel", read=_read_debounce
        ),
        cap=_read(parse_queue_cap, fields.get("cap"), f"{path}.cap", wanted="a whole number from 1 on"),
        drop=_read(parse_queue_drop, fields.get("drop"), f"{path}.drop", wanted='"old", "new" or "summarize"'),
        max_concurrent=limit or built_in.max_concurrent,
        max_subagents=spawned_limit or built_in.max_subagents,
        max_cron_runs=job_limit or built_in.max_cron_runs,
    )


def _read_by_channel(value: object, path: str, *, read: Callable[[object, str], T | None]) -> Mapping[ChannelName, T]:
    """One value per channel, by its one name; where two spellings name one channel, its own name counts (NORM-2)."""
    found: dict[ChannelName, T] = {}
    fields = read_object(value, path)
    for name in sorted(fields, key=lambda name: normalize_channel(name) == name):
        item = read(fields[name], join_path(path, name))
        if item is not None:
            found[normalize_channel(name)] = item
    return found


def _read_mode(value: object, path: str) -> QueueMode | None:
    wanted = '"steer", "followup", "collect", "interrupt", "fanout" or "steer-backlog"'
    return _read(parse_queue_mode, value, path, wanted=wanted)


def _read_debounce(value: object, path: str) -> int | None:
    return _read(
        lambda given: parse_duration_ms(given, bare_unit="ms"), value, path, wanted="milliseconds or a duration"
    )


def _read(parse: Callable[[object], T | None], value: object, path: str, *, wanted: str) -> T | None:
    if value is None:
        return None
    parsed = parse(value)
    if parsed is None:
        raise ConfigError("The value cannot be used", why=f"it is not {wanted}", fix=f"Write {wanted}.", path=path)
    return parsed
