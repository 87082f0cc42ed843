"""The agents and their defaults (CFG-10, CFG-13): ``agents.list``, ``agents.entries``, ``agents.defaults``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from instar.config.read import (
    join_path,
    read_bool,
    read_list,
    read_object,
    read_text,
    read_text_list,
    read_whole,
    wrong_type,
)
from instar.core.model.ids import AgentId
from instar.core.policy.spawn import MAX_SPAWN_DEPTH
from instar.core.routing.normalize import DEFAULT_AGENT, normalize_agent_id
from instar.errors import ConfigError

__all__ = ["AgentSettings", "Agents", "ModelChoice", "agent_defaults", "parse_agents", "parse_model_choice"]


_DEEPEST: Final = 5
"""No configuration lets sub-agents start others any deeper (SESSTOOL-9)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoice:
    """The model to use and those to fall back to, as ``provider/model`` or an alias. `primary` None: not chosen."""

    primary: str | None = None
    fallbacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """One agent. What it does not say itself it has from ``agents.defaults``.

    `name` is what people call it; None if it has no name beside its id. `workspace` is the folder as written, None
    for the default one. `raw` is its whole object over the defaults, for the rooms that read settings per agent.
    """

    id: AgentId
    name: str | None = None
    emoji: str | None = None
    model: ModelChoice = field(default_factory=ModelChoice)
    workspace: str | None = None
    system_prompt: str | None = None
    mention_patterns: tuple[str, ...] = ()
    max_spawn_depth: int = MAX_SPAWN_DEPTH
    raw: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agents:
    """All agents in configured order; a single ``main`` if none is configured. `is_listed` tells the two apart."""

    all: tuple[AgentSettings, ...]
    default_id: AgentId
    is_listed: bool

    def get(self, agent_id: AgentId) -> AgentSettings:
        """The agent of that id; the default agent if there is none (KEY-21)."""
        found = next((agent for agent in self.all if agent.id == agent_id), None)
        return found or next(agent for agent in self.all if agent.id == self.default_id)


def parse_agents(root: Mapping[str, object]) -> Agents:
    """The agents of a whole configuration whose aliases are applied."""
    agents = read_object(root.get("agents"), "agents")
    defaults = agent_defaults(root)
    parsed: dict[AgentId, AgentSettings] = {}
    default_id: AgentId | None = None
    for path, name, item in _items(agents):
        agent_id = normalize_agent_id(name)
        if agent_id in parsed:
            raise ConfigError(
                "Two agents have the same id",
                why=f'"{name}" is written "{agent_id}" in session keys, and so is another one',
                fix="Give one of them another id.",
                path=path,
            )
        parsed[agent_id] = _parse_agent(agent_id, item, defaults, path=path)
        if read_bool(item.get("default"), f"{path}.default") and default_id is None:
            default_id = agent_id
    if not parsed:
        return Agents(
            all=(_parse_agent(DEFAULT_AGENT, {}, defaults, path="agents.defaults"),),
            default_id=DEFAULT_AGENT,
            is_listed=False,
        )
    return Agents(all=tuple(parsed.values()), default_id=default_id or next(iter(parsed)), is_listed=True)


def agent_defaults(root: Mapping[str, object]) -> Mapping[str, object]:
    """``agents.defaults`` of a whole configuration, empty if it is not set."""
    return read_object(read_object(root.get("agents"), "agents").get("defaults"), "agents.defaults")


def parse_model_choice(value: object, path: str) -> ModelChoice:
    """``"provider/model"`` or ``{primary, fallbacks}`` (CFG-13)."""
    if value is None or isinstance(value, str):
        return ModelChoice(primary=read_text(value, path))
    if not isinstance(value, Mapping):
        raise wrong_type(path, value, wanted="text or an object", fix='Write "provider/model".')
    return ModelChoice(
        primary=read_text(value.get("primary"), f"{path}.primary"),
        fallbacks=read_text_list(value.get("fallbacks"), f"{path}.fallbacks"),
    )


def _items(agents: Mapping[str, object]) -> Iterator[tuple[str, str, Mapping[str, object]]]:
    """Path, id and object of each agent, in order: those of ``list``, then those of ``entries``."""
    for at, value in enumerate(read_list(agents.get("list"), "agents.list")):
        path = f"agents.list[{at}]"
        item = read_object(value, path)
        name = read_text(item.get("id"), f"{path}.id")
        if name is None:
            raise ConfigError("An agent has no id", fix='Add id: "…".', path=path)
        yield path, name, item
    for name, value in read_object(agents.get("entries"), "agents.entries").items():
        path = join_path("agents.entries", name)
        yield path, name, read_object(value, path)


def _parse_agent(
    agent_id: AgentId, item: Mapping[str, object], defaults: Mapping[str, object], *, path: str
) -> AgentSettings:
    raw = {**defaults, **{name: value for name, value in item.items() if value is not None}}
    identity = read_object(raw.get("identity"), f"{path}.identity")
    group_chat = read_object(raw.get("groupChat"), f"{path}.groupChat")
    subagents = read_object(raw.get("subagents"), f"{path}.subagents")
    depth = read_whole(subagents.get("maxSpawnDepth"), f"{path}.subagents.maxSpawnDepth", least=1)
    return AgentSettings(
        id=agent_id,
        name=read_text(raw.get("name"), f"{path}.name") or read_text(identity.get("name"), f"{path}.identity.name"),
        emoji=read_text(identity.get("emoji"), f"{path}.identity.emoji"),
        model=parse_model_choice(raw.get("model"), f"{path}.model"),
        workspace=read_text(raw.get("workspace"), f"{path}.workspace"),
        system_prompt=read_text(raw.get("systemPrompt"), f"{path}.systemPrompt"),
        mention_patterns=read_text_list(group_chat.get("mentionPatterns"), f"{path}.groupChat.mentionPatterns"),
        max_spawn_depth=min(depth or MAX_SPAWN_DEPTH, _DEEPEST),
        raw=raw,
    )
