"""Levels that hold where neither a message nor its session says anything: `thinkingDefault` and its like (RESOLVE-5).

They stand in a channel, in an agent and under ``agents.defaults``; that of the line about tokens also where OpenClaw
has it, in ``messages.responseUsage``. A word that is no level is ignored, since OpenClaw has levels that this build has
not; `instar.config.lint_values` tells of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from instar.config.read import join_path, read_object, read_text
from instar.config.sections.agents import agent_defaults, parse_agents
from instar.config.sections.channels import find_channel, known_channels
from instar.core.model.ids import AgentId, ChannelName
from instar.core.policy.levels import parse_elevated, parse_reasoning, parse_thinking, parse_usage, parse_verbose
from instar.core.policy.resolve import LevelDefaults, LevelField
from instar.core.routing.normalize import normalize_channel

__all__ = ["LEVEL_SETTINGS", "find_level_words", "is_level", "parse_level_defaults"]

LEVEL_SETTINGS: Final[Mapping[str, LevelField]] = {
    "thinkingDefault": "thinkingLevel",
    "verboseDefault": "verboseLevel",
    "reasoningDefault": "reasoningLevel",
    "elevatedDefault": "elevatedLevel",
    "responseUsageDefault": "responseUsage",
}
"""The settings of a channel or an agent, with the field of a session that goes before each."""

_USAGE_PATH: Final = "messages.responseUsage"
_ANY_CHANNEL: Final = "default"
"""In OpenClaw's map by channel: every channel that it does not name."""

_PARSERS: Final[Mapping[LevelField, Callable[[str], object]]] = {
    "thinkingLevel": parse_thinking,
    "verboseLevel": parse_verbose,
    "reasoningLevel": parse_reasoning,
    "elevatedLevel": parse_elevated,
    "responseUsage": parse_usage,
}


def parse_level_defaults(root: Mapping[str, object]) -> LevelDefaults:
    """The levels of a whole configuration whose aliases are applied. Raises ConfigError for what is no text."""
    usage, usage_by_channel = _read_usage(root)
    defaults = agent_defaults(root)
    config = {**usage, **_read(defaults, "agents.defaults")}
    by_agent: dict[AgentId, Mapping[str, str]] = {}
    for agent in parse_agents(root).all:
        own = {name: value for name, value in agent.raw.items() if value != defaults.get(name)}
        said = _read(own, f"agents.entries.{agent.id}")
        if said:
            by_agent[agent.id] = said
    by_channel: dict[ChannelName, Mapping[str, str]] = {}
    for channel in sorted(known_channels(root)):
        name = ChannelName(channel)
        path, fields = find_channel(root, name)
        said = {**usage_by_channel.get(name, {}), **_read(fields, path)}
        if said:
            by_channel[name] = said
    return LevelDefaults(by_channel=by_channel, by_agent=by_agent, config=config)


def find_level_words(root: Mapping[str, object]) -> Iterator[tuple[str, LevelField, object]]:
    """Every level that is written down, with its path and the field that it stands for."""
    agents = read_object(root.get("agents"), "agents")
    places: dict[str, object] = {"agents.defaults": agents.get("defaults")}
    listed = agents.get("list")
    places |= {f"agents.list[{at}]": item for at, item in enumerate(listed if isinstance(listed, list) else ())}
    for section in ("agents.entries", "channels"):
        found = agents.get("entries") if section == "agents.entries" else root.get("channels")
        places |= {join_path(section, name): item for name, item in read_object(found, section).items()}
    for path, fields in places.items():
        for name, level in LEVEL_SETTINGS.items():
            if isinstance(fields, Mapping) and fields.get(name) is not None:
                yield f"{path}.{name}", level, fields[name]
    usage = read_object(root.get("messages"), "messages").get("responseUsage")
    by_channel = usage.items() if isinstance(usage, Mapping) else ()
    yield from ((join_path(_USAGE_PATH, name), "responseUsage", word) for name, word in by_channel if word is not None)
    if usage is not None and not isinstance(usage, Mapping):
        yield _USAGE_PATH, "responseUsage", usage


def is_level(field: LevelField, word: object) -> bool:
    """Whether `word` is a level of that field."""
    return isinstance(word, str) and _PARSERS[field](word) is not None


def _read(fields: Mapping[str, object], path: str) -> dict[str, str]:
    """The levels of one place, by the fields that they stand for."""
    found: dict[str, str] = {}
    for name, level in LEVEL_SETTINGS.items():
        text = read_text(fields.get(name), f"{path}.{name}") or ""
        if level == "thinkingLevel":
            word = parse_thinking(text)
            found |= {level: word.level} if word is not None else {}
            # The word `stream` means both (PATCH-6); a word of its own overrules it below.
            found |= {"reasoningLevel": word.reasoning} if word is not None and word.reasoning else {}
        elif (parsed := _PARSERS[level](text)) is not None:
            found[level] = str(parsed)
    return found


def _read_usage(root: Mapping[str, object]) -> tuple[Mapping[str, str], Mapping[ChannelName, Mapping[str, str]]]:
    """What OpenClaw's setting says for all channels, and for single ones."""
    value = read_object(root.get("messages"), "messages").get("responseUsage")
    if not isinstance(value, Mapping):
        return _one_usage(read_text(value, _USAGE_PATH)), {}
    words = {name: read_text(word, join_path(_USAGE_PATH, name)) for name, word in value.items()}
    # Where two spellings name one channel, its own name counts (NORM-2).
    ordered = sorted(words, key=lambda name: normalize_channel(name) == name)
    by_channel = {normalize_channel(name): _one_usage(words[name]) for name in ordered if name != _ANY_CHANNEL}
    return _one_usage(words.get(_ANY_CHANNEL)), by_channel


def _one_usage(word: str | None) -> Mapping[str, str]:
    level = parse_usage(word or "")
    return {} if level is None else {"responseUsage": level}
