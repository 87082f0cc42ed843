"""How a lane takes messages while it is busy: the words people use, and which layer's word counts.

What belongs here: queue modes and drop policies in every accepted spelling (QUEUE-1, X-17), their defaults
(QUEUE-10), the `/queue` options (QUEUE-12) and the order of layers (QUEUE-11). What a lane then does with a message
is `instar.core.queue.mode`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from instar.core.model.ids import ChannelName
from instar.core.model.quantity import parse_duration_ms
from instar.core.model.session import Overrides
from instar.core.model.setting import SettingSource, pick_setting

__all__ = [
    "DEFAULT_QUEUE",
    "QueueConfig",
    "QueueDirective",
    "QueueDrop",
    "QueueMode",
    "QueueSettings",
    "describe_queue",
    "parse_queue_cap",
    "parse_queue_directive",
    "parse_queue_drop",
    "parse_queue_mode",
    "resolve_queue_settings",
]

QueueMode = Literal["steer", "followup", "collect", "interrupt", "fanout", "steer-backlog"]
"""What a message does when a turn of its session is running (QUEUE-3…9)."""

QueueDrop = Literal["old", "new", "summarize"]
"""Who goes when the queue is full (QUEUE-13)."""

_MODES: Final[Mapping[str, QueueMode]] = {
    "steer": "steer",
    "steering": "steer",
    "queue": "steer",
    "queued": "steer",
    "followup": "followup",
    "followups": "followup",
    "follow-ups": "followup",
    "fifo": "followup",
    "collect": "collect",
    "coalesce": "collect",
    "interrupt": "interrupt",
    "interrupts": "interrupt",
    "abort": "interrupt",
    "fanout": "fanout",
    "fan-out": "fanout",
    "steer-backlog": "steer-backlog",
    "steer+backlog": "steer-backlog",
    "steer_backlog": "steer-backlog",
}

_DROPS: Final[Mapping[str, QueueDrop]] = {"old": "old", "new": "new", "summarize": "summarize"}

_RESET_WORDS: Final = frozenset({"default", "reset", "clear"})

_OPTION: Final = re.compile(r"(debounce|cap|drop)[:=](.+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueConfig:
    """What the configuration says under `messages.queue` and `agents.defaults`; None and absent channels are silent.

    `max_concurrent` is the size of the lane that all runs share; `max_subagents` and `max_cron_runs` are those of
    spawned sessions and of jobs, which have lanes of their own (QUEUE-2).
    """

    mode: QueueMode | None = None
    mode_by_channel: Mapping[ChannelName, QueueMode] = field(default_factory=dict)
    debounce_ms: int | None = None
    debounce_ms_by_channel: Mapping[ChannelName, int] = field(default_factory=dict)
    cap: int | None = None
    drop: QueueDrop | None = None
    max_concurrent: int = 64
    max_subagents: int = 8
    max_cron_runs: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    """What holds for one message. Defaults are those of QUEUE-10.

    `debounce_ms` is the quiet time after the last arrival before waiting messages run, `cap` the number of messages
    that may wait. `sources` names the layer of each of the four fields (WHY-6).
    """

    mode: QueueMode = "steer"
    debounce_ms: int = 500
    cap: int = 20
    drop: QueueDrop = "summarize"
    max_concurrent: int = 64
    sources: Mapping[str, SettingSource] = field(default_factory=dict)


DEFAULT_QUEUE: Final = QueueSettings()
"""Steer, half a second, twenty messages, dropped ones summarised (QUEUE-10, X-18)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDirective:
    """What the words after `/queue` ask for (QUEUE-12). None means not mentioned.

    `reset` removes every override. `shows` is True when nothing was asked: the current values are told. `rest` is the
    text from the first unknown word on, in its own spelling; `problem` names an option whose value makes no sense.
    """

    mode: QueueMode | None = None
    debounce_ms: int | None = None
    cap: int | None = None
    drop: QueueDrop | None = None
    reset: bool = False
    rest: str = ""
    problem: str | None = None

    @property
    def shows(self) -> bool:
        """True for `/queue` alone."""
        asked = self.reset or any(
            value is not None for value in (self.mode, self.debounce_ms, self.cap, self.drop, self.problem)
        )
        return not asked and not self.rest


def parse_queue_mode(value: object) -> QueueMode | None:
    """The mode that a word means, case and surrounding blanks ignored; None for anything else (QUEUE-1)."""
    return _MODES.get(value.strip().lower()) if isinstance(value, str) else None


def parse_queue_drop(value: object) -> QueueDrop | None:
    """The drop policy that a word means; None for anything else (QUEUE-13)."""
    return _DROPS.get(value.strip().lower()) if isinstance(value, str) else None


def parse_queue_cap(value: object) -> int | None:
    """A whole number of at least 1, also as text; None for anything else (PATCH-10)."""
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        value = int(value.strip()[:15])
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1 or value < 1:
        return None
    return int(value)


def parse_queue_directive(arguments: str) -> QueueDirective:
    """What the text after `/queue` asks for; reading stops at the first unknown word (QUEUE-12).

    `debounce:` takes a duration whose bare numbers are milliseconds; `:` and `=` mean the same. A later word of the
    same kind wins over an earlier one.
    """
    found: dict[str, object] = {}
    words = arguments.split()
    for position, word in enumerate(words):
        if not _read_word(word, found):
            rest = arguments.split(maxsplit=position)[position] if position else arguments.strip()
            return _build_directive(found, rest=rest)
    return _build_directive(found, rest="")


def resolve_queue_settings(
    config: QueueConfig,
    *,
    channel: ChannelName | None,
    overrides: Overrides,
    inline: QueueDirective | None = None,
    channel_debounce_ms: int | None = None,
) -> QueueSettings:
    """The settings that hold for one message, each from its strongest layer (QUEUE-11).

    `channel` None is a source without a channel (RPC). `channel_debounce_ms` is what the channel itself prefers. A
    word in an override that is no mode (an import from elsewhere) counts as absent.
    """
    said = inline or QueueDirective()
    mode = pick_setting(
        ("inline", said.mode),
        ("session", parse_queue_mode(overrides.queue_mode)),
        ("channel", config.mode_by_channel.get(channel) if channel else None),
        ("config", config.mode),
        default=DEFAULT_QUEUE.mode,
    )
    debounce = pick_setting(
        ("inline", said.debounce_ms),
        ("session", overrides.queue_debounce_ms),
        ("channel", config.debounce_ms_by_channel.get(channel) if channel else None),
        ("channel", channel_debounce_ms),
        ("config", config.debounce_ms),
        default=DEFAULT_QUEUE.debounce_ms,
    )
    cap = pick_setting(
        ("inline", said.cap), ("session", overrides.queue_cap), ("config", config.cap), default=DEFAULT_QUEUE.cap
    )
    drop = pick_setting(
        ("inline", said.drop),
        ("session", parse_queue_drop(overrides.queue_drop)),
        ("config", config.drop),
        default=DEFAULT_QUEUE.drop,
    )
    return QueueSettings(
        mode=mode.value,
        debounce_ms=debounce.value,
        cap=cap.value,
        drop=drop.value,
        max_concurrent=config.max_concurrent,
        sources={"mode": mode.source, "debounce_ms": debounce.source, "cap": cap.source, "drop": drop.source},
    )


def _read_word(word: str, found: dict[str, object]) -> bool:
    """Note what one word says; False if it is not a word of `/queue`."""
    if word.lower() in _RESET_WORDS:
        found["reset"] = True
        return True
    mode = parse_queue_mode(word)
    if mode is not None:
        found["mode"] = mode
        return True
    option = _OPTION.fullmatch(word)
    if option is None:
        return False
    name, text = option[1].lower(), option[2]
    value: object
    if name == "debounce":
        name, value = "debounce_ms", parse_duration_ms(text, bare_unit="ms")
    elif name == "cap":
        value = parse_queue_cap(text)
    else:
        value = parse_queue_drop(text)
    if value is None:
        found["problem"] = word
    else:
        found[name] = value
    return True


def _build_directive(found: Mapping[str, object], *, rest: str) -> QueueDirective:
    return QueueDirective(
        mode=parse_queue_mode(found.get("mode")),
        debounce_ms=parse_duration_ms(found.get("debounce_ms"), bare_unit="ms"),
        cap=parse_queue_cap(found.get("cap")),
        drop=parse_queue_drop(found.get("drop")),
        reset=bool(found.get("reset")),
        problem=str(found["problem"]) if "problem" in found else None,
        rest=rest,
    )


def describe_queue(settings: QueueSettings) -> str:
    """The values that hold, each with the layer that it came from, for `/queue` alone (QUEUE-12, WHY-6)."""
    layers = {"session": "set here", "channel": "the channel's", "config": "configured", "default": "default"}

    def source(name: str) -> str:
        return layers.get(str(settings.sources.get(name)), "default")

    return (
        f"Queue: {settings.mode} ({source('mode')}), debounce {settings.debounce_ms} ms ({source('debounce_ms')}), "
        f"cap {settings.cap} ({source('cap')}), drop {settings.drop} ({source('drop')})"
    )
