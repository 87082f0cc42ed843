"""Where the tools of a session run (TYPE-4…8): the settings that hold for it, and what they come to.

Not here: which tools there are (`instar.gateway.tool_policy`) and the decisions themselves
(`instar.core.policy.tools`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from instar.config.load import Config
from instar.core.model.ids import AgentId, ChannelName, SessionKey
from instar.core.model.session import Session
from instar.core.model.setting import Setting
from instar.core.policy.tools import SandboxSettings, decide_sandbox, describe_runtime
from instar.core.routing.key import is_group_key, parse_key

__all__ = ["SANDBOX_AVAILABLE", "Sandboxing", "describe_tools_place", "may_write_workspace", "resolve_sandboxing"]

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
    policy_key: SessionKey | None = None,
) -> Sandboxing:
    """What holds for a session that is spoken to through `channel`, None for the channel it belongs to.

    `policy_key` is the key under which the tools of this turn are checked, None for the session's own (TYPE-6).
    """
    main_key = config.routing.keys.main_key
    # Only a group has settings of its own: `groups.*` is not meant for a direct chat.
    group_id = (parse_key(key, main_key=main_key).peer_id or "") if is_group_key(key) else ""
    settings = config.sandbox(agent_id, channel or (session.origin.channel if session else None), group_id)
    decided = decide_sandbox(
        settings,
        policy_key=policy_key or key,
        main_key=main_key,
        override=session.overrides.sandbox_mode if session else None,
    )
    return Sandboxing(settings=settings, decided=decided, group_id=group_id)


def describe_tools_place(config: Config, agent_id: AgentId, key: SessionKey, session: Session | None) -> str:
    """Where the tools of a session run, for people: ``direct (sandbox off)`` (STATUS-1, STATUS-10)."""
    found = resolve_sandboxing(config, agent_id, key, session)
    return describe_runtime(found.settings, found.decided, sandbox_available=SANDBOX_AVAILABLE)


def may_write_workspace(config: Config, session: Session) -> bool:
    """Whether the tools of a session may write to its workspace: not in a sandbox that shows it less (TYPE-7)."""
    found = resolve_sandboxing(config, session.agent_id, session.key, session)
    return not found.decided.value or found.settings.workspace_access == "rw"
