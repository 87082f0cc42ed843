"""Starting a session from another: looked up, decided, laid on what is created (SESSTOOL-9, TYPE-4).

What belongs here: what a sub-agent session has from its parent when it begins. What does not: the decisions
(`instar.core.policy.spawn`), and what holds for its tools later (`instar.gateway.sandboxing`).
"""

from __future__ import annotations

from dataclasses import replace

from instar.core.model.ids import SessionKey
from instar.core.model.session import Origin, Session
from instar.core.policy.spawn import SpawnParent, decide_spawn
from instar.core.routing.key import is_group_key, parse_key
from instar.core.turn.operations import Creation
from instar.errors import InvalidRequest, NotFound
from instar.gateway.parts import GatewayParts
from instar.gateway.sandboxing import resolve_sandboxing

__all__ = ["spawn_creation"]


async def spawn_creation(parts: GatewayParts, key: SessionKey, creation: Creation) -> Creation:
    """The creation with what a sub-agent has from its parent; as it is where it has none, or is no sub-agent.

    Raises `InvalidRequest` where its parent may start no others, `NotFound` where its parent is not there.
    """
    config, parent_key = parts.config(), creation.parent_key
    if parent_key is None or parse_key(key, main_key=config.routing.keys.main_key).type != "subagent":
        return creation
    parent = await parts.store.load_session(parent_key)
    if parent is None:
        raise NotFound(f"There is no session {parent_key}", fix="List the sessions with `instar sessions list`.")
    depth = _decide(parts, parent)
    above = resolve_sandboxing(config, parent.agent_id, parent.key, parent).decided
    overrides = replace(creation.overrides, sandbox_mode=True) if above.value else creation.overrides
    origin = Origin(
        spawned_by=parent.key,
        spawn_depth=depth,
        channel=parse_key(parent.key).channel or parent.origin.channel,
        group_id=_group_of(parent),
    )
    return replace(creation, overrides=overrides, origin=origin)


def _group_of(parent: Session) -> str | None:
    """The group whose lists hold for a parent: the one that it is, or that its own parent was."""
    if is_group_key(parent.key):
        return parse_key(parent.key).peer_id
    return parent.origin.group_id if parent.origin.spawned_by is not None else None


def _decide(parts: GatewayParts, parent: Session) -> int:
    config, spawner = parts.config(), parent.origin.spawned_by
    decided = decide_spawn(
        SpawnParent(
            agent_id=parent.agent_id,
            depth=parent.origin.spawn_depth or (0 if spawner is None else 1),
            spawner=None if spawner is None else parse_key(spawner).agent_id or config.agents.default_id,
        ),
        max_depth=config.agents.get(parent.agent_id).max_spawn_depth,
    )
    if not decided.allowed:
        raise InvalidRequest(
            f"{parent.key} starts no sub-agent",
            why=f"{decided.why} ({decided.rule})",
            fix="Raise agents.defaults.subagents.maxSpawnDepth, or start it from another session.",
            field="parentSessionKey",
        )
    return decided.depth
