"""The settings of a session that follow its model, with the place each came from (WHY-6, PRUNE-3)."""

from __future__ import annotations

from collections.abc import Mapping

from instar.config.config import Config
from instar.core.context.heartbeat import resolve_heartbeat
from instar.core.context.pruning import resolve_mode
from instar.core.model.ids import AgentId, SessionKey
from instar.core.model.setting import Setting, SettingSource
from instar.core.routing.key import is_main_key
from instar.ports.runner import ModelSpec

__all__ = ["model_settings"]


def model_settings(
    config: Config, agent_id: AgentId, key: SessionKey, *, model: ModelSpec
) -> Mapping[str, Setting[object]]:
    """By the names in files: whether old tool results are trimmed, and how often a main session has a heartbeat."""
    pruning = config.pruning.get(agent_id)
    mode = resolve_mode(pruning, provider=model.provider, model=model.id).mode
    layer: SettingSource = "agent" if agent_id in config.pruning.by_agent else "config"
    source = "default" if pruning.mode is None else layer
    found: dict[str, Setting[object]] = {"contextPruning": Setting(value=mode, source=source)}
    if is_main_key(key, main_key=config.routing.keys.main_key):
        shared = config.heartbeat.default
        said = config.heartbeat.get(agent_id)
        heartbeat = resolve_heartbeat(
            said if said != shared else None, shared, provider=model.provider, model=model.id, auth=model.auth
        )
        found["heartbeatEveryMs"] = Setting(value=heartbeat.value, source=heartbeat.source)
    return found
