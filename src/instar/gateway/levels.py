"""The levels that hold for a turn or a session, as the configuration stands now (RESOLVE-5)."""

from __future__ import annotations

from dataclasses import replace

from instar.config.config import Config
from instar.config.sections.agents import agent_defaults
from instar.core.model.change import Submission
from instar.core.model.ids import AgentId
from instar.core.model.session import Session
from instar.core.model.setting import Setting
from instar.core.policy.resolve import LevelField, SettingLayers, resolve_level
from instar.core.turn.levels import build_level_layers

__all__ = ["find_level", "setting_layers"]


def find_level(
    config: Config, name: LevelField, session: Session | None, agent_id: AgentId, submission: Submission | None
) -> Setting[str]:
    """One level of the turn that answers `submission`; None tells it as the session stands."""
    return resolve_level(name, build_level_layers(config.levels, session, agent_id=agent_id, submission=submission))


def setting_layers(
    config: Config, session: Session | None, agent_id: AgentId, submission: Submission | None = None
) -> SettingLayers:
    """What each layer says about levels and the model; the latter from the agent's own object or the defaults of all.

    A directive inside a message holds for that message alone, so those of `submission` are left out: it says which
    channel's settings hold.
    """
    layers = replace(build_level_layers(config.levels, session, agent_id=agent_id, submission=submission), inline={})
    own, shared = config.agents.get(agent_id).raw.get("model"), agent_defaults(config.root).get("model")
    if own is None:
        return layers
    if own == shared:
        return replace(layers, config={**layers.config, "model": own})
    return replace(layers, agent={**layers.agent, "model": own})
