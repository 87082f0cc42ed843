"""Every setting that holds for a session, with the place it came from (WHY-6, RESOLVE-5)."""

from __future__ import annotations

from collections.abc import Mapping

from instar.config.config import Config
from instar.config.sections.agents import agent_defaults
from instar.core.lifecycle.reset import ResetPolicy, resolve_session_type
from instar.core.model.ids import AgentId, SessionKey
from instar.core.model.message import ChatType
from instar.core.model.session import Overrides, Session
from instar.core.model.setting import Setting
from instar.core.policy.activation import resolve_activation
from instar.core.policy.resolve import SettingLayers, effective_settings, reset_source
from instar.core.policy.send import SendDecision
from instar.core.queue.settings import QueueSettings
from instar.core.routing.key import is_group_key, parse_key
from instar.gateway.sandboxing import resolve_sandboxing

__all__ = ["held_settings"]

_NO_OVERRIDES = Overrides()


def held_settings(
    config: Config,
    session: Session | None,
    agent_id: AgentId,
    key: SessionKey,
    *,
    model: str,
    queue: QueueSettings,
    send: SendDecision,
    policy: ResetPolicy,
) -> Mapping[str, Setting[object]]:
    """The settings by their names in files; `model`, `queue`, `send` and `policy` have been resolved already.

    A directive inside a message holds for that message alone, so none is told here.
    """
    main_key = config.routing.keys.main_key
    parsed = parse_key(key, main_key=main_key)
    overrides = session.overrides if session else _NO_OVERRIDES
    channel = session.origin.channel if session else None
    chat_type: ChatType = (session.origin.chat_type if session else None) or (
        "group" if is_group_key(key) else "direct"
    )
    group_id = parsed.peer_id or ""
    found = effective_settings(
        _layers(config, agent_id, overrides),
        queue=queue,
        activation=resolve_activation(
            config.activation(channel, agent_id),
            chat_type=chat_type,
            group_id=group_id,
            override=overrides.group_activation,
        ),
        send=send,
        sandbox=resolve_sandboxing(config, agent_id, key, session).decided,
        reset=Setting(
            value=policy,
            source=reset_source(config.reset, resolve_session_type(key, session, None), channel or parsed.channel),
        ),
    )
    # A model that was chosen and is no longer configured gives way: what is told is what will be asked.
    return {**found, "model": Setting(value=model, source=found["model"].source)}


def _layers(config: Config, agent_id: AgentId, overrides: Overrides) -> SettingLayers:
    """What the session says, and whether the agent's own object names its model or the defaults of all agents do."""
    own, shared = config.agents.get(agent_id).raw.get("model"), agent_defaults(config.root).get("model")
    if own is None:
        return SettingLayers(overrides=overrides)
    if own == shared:
        return SettingLayers(overrides=overrides, config={"model": own})
    return SettingLayers(overrides=overrides, agent={"model": own})
