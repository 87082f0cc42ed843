"""Sandboxes and lists of tools: `agents`, `channels.<c>`, `tools` (TYPE-4, TYPE-5, TYPE-7, TYPE-9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from instar.config.read import read_choice, read_object, read_text_list
from instar.config.sections.agents import agent_defaults, parse_agents
from instar.config.sections.channels import find_channel
from instar.core.model.ids import AgentId, ChannelName
from instar.core.policy.tool_patterns import ToolPatterns
from instar.core.policy.tools import SandboxMode, SandboxScope, SandboxSettings, ToolSettings, WorkspaceAccess
from instar.core.routing.normalize import normalize_peer

__all__ = ["parse_sandbox", "parse_tools"]

_MODES: Final[tuple[SandboxMode, ...]] = ("off", "non-main", "all")
_SCOPES: Final[tuple[SandboxScope, ...]] = ("session", "agent", "shared")
_ACCESS: Final[tuple[WorkspaceAccess, ...]] = ("none", "ro", "rw")


def parse_sandbox(
    root: Mapping[str, object],
    *,
    agent_id: AgentId | None = None,
    channel: ChannelName | None = None,
    group_id: str = "",
) -> SandboxSettings:
    """What holds for an agent (None: the default one) on a channel, and in a group of it (empty: in none).

    Takes a whole configuration whose aliases are applied. Raises ConfigError for a word that is none.
    """
    path = "agents.defaults.sandbox"
    config = read_object(agent_defaults(root).get("sandbox"), path)
    agents = parse_agents(root)
    agent = read_object(agents.get(agent_id or agents.default_id).raw.get("sandbox"), path)
    place, fields, group_place, group = _find_place(root, channel, group_id)
    default = SandboxSettings()
    agent_mode = read_choice(agent.get("mode"), f"{path}.mode", words=_MODES)
    config_mode = read_choice(config.get("mode"), f"{path}.mode", words=_MODES)
    merged = {**config, **{name: value for name, value in agent.items() if value is not None}}
    backend = read_choice(merged.get("backend"), f"{path}.backend", words=("bubblewrap", "docker"))
    sees = read_choice(merged.get("sessionToolsVisibility"), f"{path}.sessionToolsVisibility", words=("spawned", "all"))
    return SandboxSettings(
        group=_read_mode(group, group_place),
        channel=_read_mode(fields, place),
        agent=agent_mode if agent_mode != config_mode else None,
        config=config_mode,
        scope=read_choice(merged.get("scope"), f"{path}.scope", words=_SCOPES) or default.scope,
        workspace_access=read_choice(merged.get("workspaceAccess"), f"{path}.workspaceAccess", words=_ACCESS)
        or default.workspace_access,
        backend="docker" if backend == "docker" else "bubblewrap",
        sees_sessions="all" if sees == "all" else "spawned",
    )


def parse_tools(
    root: Mapping[str, object],
    *,
    agent_id: AgentId | None = None,
    channel: ChannelName | None = None,
    group_id: str = "",
) -> ToolSettings:
    """The lists of tools for an agent on a channel, as `parse_sandbox` takes them.

    A group's own lists stand in for those of its channel.
    """
    agents = parse_agents(root)
    agent = agents.get(agent_id or agents.default_id).raw
    place, fields, group_place, group = _find_place(root, channel, group_id)
    general = read_object(root.get("tools"), "tools")
    in_sandbox = read_object(general.get("sandbox"), "tools.sandbox")
    return ToolSettings(
        channel=_read_lists(group.get("tools"), f"{group_place}.tools")
        or _read_lists(fields.get("tools"), f"{place}.tools"),
        agent=_read_lists(agent.get("tools"), "agents.defaults.tools"),
        config=_read_lists(general, "tools"),
        sandbox=_read_lists(in_sandbox.get("tools"), "tools.sandbox.tools"),
    )


def _find_place(
    root: Mapping[str, object], channel: ChannelName | None, group_id: str
) -> tuple[str, Mapping[str, object], str, Mapping[str, object]]:
    """Path and object of the channel, and of the group in it; empty objects where there is nothing."""
    if channel is None:
        return "channels", {}, "channels", {}
    path, fields = find_channel(root, channel)
    groups = read_object(fields.get("groups"), f"{path}.groups")
    wanted = normalize_peer(channel, kind="group", peer_id=group_id)
    name = next(
        (each for each in groups if wanted and normalize_peer(channel, kind="group", peer_id=each) == wanted), "*"
    )
    group_path = f"{path}.groups.{name}"
    return path, fields, group_path, read_object(groups.get(name) if wanted else None, group_path)


def _read_mode(fields: Mapping[str, object], path: str) -> SandboxMode | None:
    sandbox = read_object(fields.get("sandbox"), f"{path}.sandbox")
    return read_choice(sandbox.get("mode"), f"{path}.sandbox.mode", words=_MODES)


def _read_lists(value: object, path: str) -> ToolPatterns | None:
    """The lists of an object; None if it has none."""
    fields = read_object(value, path)
    allow, deny = fields.get("allow"), fields.get("deny")
    if allow is None and deny is None:
        return None
    return ToolPatterns(
        allow=None if allow is None else read_text_list(allow, f"{path}.allow"),
        deny=None if deny is None else read_text_list(deny, f"{path}.deny"),
    )
