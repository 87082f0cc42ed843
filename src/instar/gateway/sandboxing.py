"""Where the tools of a session run (TYPE-4…8): the settings that hold for it, and what they come to.

Not here: which tools there are (`instar.gateway.tool_policy`) and the decisions themselves
(`instar.core.policy.tools`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from instar.config.config import Config
from instar.core.model.ids import AgentId, ChannelName, SessionKey
from instar.core.model.session import Session
from instar.core.model.setting import Setting
from instar.core.policy.spawn import inherit_sandbox
from instar.core.policy.tools import SandboxSettings, ToolSettings, decide_sandbox, describe_runtime
from instar.core.routing.key import is_group_key, parse_key

__all__ = [
    "SANDBOX_AVAILABLE",
    "Sandboxing",
    "describe_tools_place",
    "may_write_workspace",
    "resolve_parent_tools",
    "resolve_sandboxing",
]

SANDBOX_AVAILABLE: Final = False
"""No sandbox is part of this gateway yet, so none can start. What must be sandboxed is refused until then (TYPE-8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandboxing:
    """The settings of a session's sandbox, and whether its tools belong there; `group_id` is empty in direct chats."""

    settings: SandboxSettings
    decided: Setting[bool]
    group_id: str


def resolve_sandboxing(
    config: Config,
    agent_id: AgentId,
    key: SessionKey,
    session: Session | None,
    *,
    channel: ChannelName | None = None,
    group_id: str | None = None,
    policy_key: SessionKey | None = None,
) -> Sandboxing:
    """What holds for a session that is spoken to in a group of a channel, None for those it belongs to.

    `policy_key` is the key under which the tools of this turn are checked, None for the session's own (TYPE-6). A
    sub-agent is in a sandbox wherever its parent's key puts its parent into one; what was set for its parent alone was
    set for it when it began.
    """
    main_key = config.routing.keys.main_key
    parent = session.origin.spawned_by if session else None
    group_id = _group_of(key, session) if group_id is None else group_id
    settings = config.sandbox(agent_id, channel or (session.origin.channel if session else None), group_id)
    decided = decide_sandbox(
        settings,
        policy_key=policy_key or key,
        main_key=main_key,
        override=session.overrides.sandbox_mode if session else None,
    )
    if parent is not None:
        agent, spoken, group = _place_of_parent(config, parent, session)
        above = decide_sandbox(config.sandbox(agent, spoken, group), policy_key=parent, main_key=main_key)
        decided = inherit_sandbox(decided, above)
    return Sandboxing(settings=settings, decided=decided, group_id=group_id)


def resolve_parent_tools(config: Config, session: Session) -> ToolSettings | None:
    """The lists of tools that hold for whoever started a session; None where nobody did."""
    parent = session.origin.spawned_by
    return None if parent is None else config.tools(*_place_of_parent(config, parent, session))


def _place_of_parent(
    config: Config, parent: SessionKey, session: Session | None
) -> tuple[AgentId, ChannelName | None, str]:
    """Agent, channel and group whose settings hold for a parent: by its key, else as its child has them from it."""
    parsed = parse_key(parent, main_key=config.routing.keys.main_key)
    inherited = session.origin.channel if session else None
    return parsed.agent_id or config.agents.default_id, parsed.channel or inherited, _group_of(parent, session)


def _group_of(key: SessionKey, session: Session | None) -> str:
    """The group whose settings hold for a session, also for a sub-agent of it; empty outside groups.

    Only a group has settings of its own: `groups.*` is not meant for a direct chat.
    """
    if is_group_key(key):
        return parse_key(key).peer_id or ""
    return (session.origin.group_id or "") if session is not None and session.origin.spawned_by is not None else ""


def describe_tools_place(config: Config, agent_id: AgentId, key: SessionKey, session: Session | None) -> str:
    """Where the tools of a session run, for people: ``direct (sandbox off)`` (STATUS-1, STATUS-10)."""
    found = resolve_sandboxing(config, agent_id, key, session)
    return describe_runtime(found.settings, found.decided, sandbox_available=SANDBOX_AVAILABLE)


def may_write_workspace(config: Config, session: Session) -> bool:
    """Whether the tools of a session may write to its workspace: not in a sandbox that shows it less (TYPE-7)."""
    found = resolve_sandboxing(config, session.agent_id, session.key, session)
    return not found.decided.value or found.settings.workspace_access == "rw"
