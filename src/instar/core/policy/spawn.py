"""Sessions that other sessions start: whether, how deep, and with which rights (SESSTOOL-9, TYPE-4, TYPE-9).

What belongs here: the decision over one sub-agent session before it is there, and over its tools afterwards. What does
not: starting it, and what sub-agents may see (`instar.core.policy.tools`). The invariant: no right is gained by having
somebody else act. What a session may not run itself, none may run that it started, nor any further down; and where its
tools run in a sandbox, so do theirs.

Only the parent's key is known to a child, so a sub-agent of another agent than its parent's starts no others: its
children could not know what their grandparent was denied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from instar.core.model.ids import AgentId
from instar.core.model.setting import Setting
from instar.core.policy.tools import ToolDecision, ToolSettings, decide_tool

__all__ = ["MAX_SPAWN_DEPTH", "SpawnDecision", "SpawnParent", "decide_spawn", "decide_spawned_tool", "inherit_sandbox"]

MAX_SPAWN_DEPTH: Final = 1
"""`maxSpawnDepth` where nothing is configured: sub-agents start no others (SESSTOOL-9)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpawnParent:
    """The session that starts another. `depth` is its own, 0 where nobody started it; `spawner` is the agent of the
    session that did, None without one.
    """

    agent_id: AgentId
    depth: int = 0
    spawner: AgentId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpawnDecision:
    """Whether the session may be started, and the `depth` it has; `why` it may not, empty if it may."""

    allowed: bool
    depth: int
    why: str = ""
    rule: str = "SESSTOOL-9"


def decide_spawn(parent: SpawnParent, *, max_depth: int) -> SpawnDecision:
    """Whether a session may start a sub-agent session (SESSTOOL-9)."""
    depth = parent.depth + 1
    why = ""
    if depth > max_depth:
        why = f"it would be {depth} deep and maxSpawnDepth is {max_depth}"
    elif parent.spawner is not None and parent.spawner != parent.agent_id:
        why = f"its parent is a sub-agent of {parent.agent_id} that {parent.spawner} started, and such start no others"
    return SpawnDecision(allowed=not why, depth=depth, why=why)


def inherit_sandbox(own: Setting[bool], parent: Setting[bool]) -> Setting[bool]:
    """Where the tools of a started session run: in a sandbox if its own settings say so, or its parent's do."""
    return own if own.value or not parent.value else parent


def decide_spawned_tool(name: str, own: ToolSettings, parent: ToolSettings, *, sandboxed: bool) -> ToolDecision:
    """Whether a started session may use a tool: its own lists admit it, and its parent's do (TYPE-9)."""
    decided = decide_tool(name, own, sandboxed=sandboxed)
    return decided if not decided.allowed else decide_tool(name, parent, sandboxed=sandboxed)
