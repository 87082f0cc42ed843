"""Agents, models and commands as clients see them (RPC-22)."""

from __future__ import annotations

from instar.api.rows import build_defaults
from instar.core.model.view import AgentFacts, CommandFacts, GatewayFacts, ModelFacts

__all__ = ["build_agents", "build_commands", "build_metadata", "build_models"]


def build_models(facts: GatewayFacts) -> list[dict[str, object]]:
    """The models that may be chosen; `available` says whether they would answer."""
    return [_model(model) for model in facts.models]


def _model(model: ModelFacts) -> dict[str, object]:
    row: dict[str, object] = {
        "id": model.id,
        "name": model.name or model.id,
        "provider": model.provider,
        "reasoning": model.reasoning,
        "available": model.available,
        "input": list(model.input_kinds),
    }
    if model.context_window:
        row["contextWindow"] = model.context_window
    if model.alias:
        row["alias"] = model.alias
    if model.is_default:
        row["tags"] = ["default"]
    if model.thinking_levels:
        row["thinkingLevels"] = [{"id": level, "label": level} for level in model.thinking_levels]
    return row


def build_agents(facts: GatewayFacts, *, places: bool) -> dict[str, object]:
    """`agents.list`; without `places` nothing is told of where files lie."""
    return {
        "defaultId": facts.default_agent_id,
        "mainKey": facts.main_key,
        "scope": facts.scope,
        "agents": [_agent(agent, places=places) for agent in facts.agents],
    }


def _agent(agent: AgentFacts, *, places: bool) -> dict[str, object]:
    row: dict[str, object] = {"id": agent.id}
    if agent.name:
        row["name"] = agent.name
    if agent.workspace and places:
        row["workspace"] = agent.workspace
    if agent.emoji:
        row["identity"] = {"name": agent.name or agent.id, "emoji": agent.emoji}
    if agent.model:
        row["model"] = {"primary": agent.model}
        if agent.fallbacks:
            row["model"] = {"primary": agent.model, "fallbacks": list(agent.fallbacks)}
    return row


def build_commands(facts: GatewayFacts) -> list[dict[str, object]]:
    """The chat commands; `name` is without the slash."""
    return [_command(command) for command in facts.commands]


def _command(command: CommandFacts) -> dict[str, object]:
    return {
        "name": command.name.removeprefix("/"),
        "textAliases": [f"/{alias.removeprefix('/')}" for alias in (command.name, *command.aliases)],
        "description": command.description,
        "source": "native",
        "scope": "text",
        "acceptsArgs": command.takes_arguments,
    }


def build_metadata(facts: GatewayFacts, *, places: bool) -> dict[str, object]:
    """What a chat page needs beside the history."""
    return {
        "models": build_models(facts),
        "agents": build_agents(facts, places=places),
        "commands": build_commands(facts),
        "defaults": build_defaults(facts),
    }
