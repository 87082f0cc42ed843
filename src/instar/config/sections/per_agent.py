"""Settings that each agent may have for itself: an object under ``agents.defaults`` and one of the same name in an
agent, whose fields win one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from instar.config.read import read_object
from instar.config.sections.agents import agent_defaults, parse_agents
from instar.core.model.ids import AgentId

__all__ = ["PerAgent", "parse_per_agent"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class PerAgent(Generic[T]):
    """What holds for agents in general, and what holds for those that say something themselves."""

    default: T
    by_agent: Mapping[AgentId, T] = field(default_factory=dict)

    def get(self, agent_id: AgentId) -> T:
        """What holds for one agent."""
        return self.by_agent.get(agent_id, self.default)


def parse_per_agent(
    root: Mapping[str, object], name: str, *, parse: Callable[[Mapping[str, object], str], T]
) -> PerAgent[T]:
    """The object `name` of a whole configuration whose aliases are applied, for all agents.

    `parse` is given an object and the path to name in errors.
    """
    path = f"agents.defaults.{name}"
    defaults = read_object(agent_defaults(root).get(name), path)
    by_agent: dict[AgentId, T] = {}
    for agent in parse_agents(root).all:
        own_path = f"agents.entries.{agent.id}.{name}"
        own = read_object(agent.raw.get(name), own_path)
        if own != defaults:
            given = {field_name: value for field_name, value in own.items() if value is not None}
            by_agent[agent.id] = parse({**defaults, **given}, own_path)
    return PerAgent(default=parse(defaults, path), by_agent=by_agent)
