"""The whole configuration as one frozen value, composed of what each section reads.

What belongs here: one field per room, and the questions that are asked per channel or agent. What does not: files
(`load`) and spellings (`aliases`, `sections`). Composing needs no pydantic, so a command line can afford it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from instar.config.aliases import apply_aliases
from instar.config.paths import render_template
from instar.config.sections.access import parse_access
from instar.config.sections.activation import parse_activation
from instar.config.sections.agents import Agents, parse_agents
from instar.config.sections.budgets import parse_budgets
from instar.config.sections.channels import ChannelSettings, parse_channels
from instar.config.sections.commands import parse_commands
from instar.config.sections.compaction import parse_compaction
from instar.config.sections.delivery import parse_delivery
from instar.config.sections.gateway import GatewaySettings, parse_gateway
from instar.config.sections.heartbeat import parse_heartbeat
from instar.config.sections.history import parse_dm_history, parse_history
from instar.config.sections.levels import parse_level_defaults
from instar.config.sections.maintenance import parse_maintenance
from instar.config.sections.memory import MemorySettings, parse_memory
from instar.config.sections.models import ModelsSettings, parse_models
from instar.config.sections.per_agent import PerAgent
from instar.config.sections.pruning import parse_pruning
from instar.config.sections.queue import parse_queue
from instar.config.sections.reset import parse_reset
from instar.config.sections.routing import parse_routing
from instar.config.sections.send import parse_send
from instar.config.sections.store import StoreSettings, parse_store
from instar.config.sections.tools import parse_sandbox, parse_tools
from instar.core.context.compaction import CompactionSettings
from instar.core.context.limits import DmHistoryLimits, HistorySettings
from instar.core.context.pruning import PruningSettings
from instar.core.delivery.owed import DeliverySettings
from instar.core.lifecycle.maintenance import MaintenanceSettings
from instar.core.lifecycle.reset import ResetSettings
from instar.core.model.ids import AgentId, ChannelName
from instar.core.policy.access import AccessSettings
from instar.core.policy.activation import ActivationSettings
from instar.core.policy.budget import Budget
from instar.core.policy.commands import DOCK_CHANNELS
from instar.core.policy.resolve import LevelDefaults
from instar.core.policy.send import SendPolicy
from instar.core.policy.tools import SandboxSettings, ToolSettings
from instar.core.queue.settings import QueueConfig
from instar.core.routing.normalize import normalize_channel
from instar.core.routing.route import RoutingSettings

__all__ = ["Config", "parse_config"]

_SECRET_NAME: Final = re.compile(
    r"token|secret|passw|passphrase|(?:api|private|access|master)_?keys?$|credential|signing", re.IGNORECASE
)

_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_]\w*)\}")

_SECRET_MIN_CHARS: Final = 6
"""Shorter ones would black out ordinary words wherever they occur."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Every setting in the form that decisions take. `root` is the raw configuration with its aliases applied.

    Not slotted: what is asked per channel and agent is read once and remembered.
    """

    root: Mapping[str, object] = field(repr=False)
    state_dir: Path
    home: Path
    routing: RoutingSettings
    reset: ResetSettings
    send: SendPolicy
    queue: QueueConfig
    delivery: DeliverySettings
    compaction: PerAgent[CompactionSettings]
    pruning: PerAgent[PruningSettings]
    heartbeat: PerAgent[int | None]
    history: HistorySettings
    dm_history: DmHistoryLimits
    maintenance: MaintenanceSettings
    memory: MemorySettings
    budgets: tuple[Budget, ...]
    reset_triggers: tuple[str, ...]
    agents: Agents
    levels: LevelDefaults
    models: ModelsSettings
    channels: Mapping[ChannelName, ChannelSettings]
    gateway: GatewaySettings
    store: StoreSettings
    written_secrets: frozenset[str] = field(default=frozenset(), repr=False)
    """What stands under a name that says secret, or the variable that is named there."""
    _access: dict[ChannelName, AccessSettings] = field(default_factory=dict, init=False, repr=False, compare=False)
    _activation: dict[tuple[ChannelName, AgentId | None], ActivationSettings] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def access(self, channel: ChannelName) -> AccessSettings:
        """Who may write on `channel`, configured or not."""
        name = normalize_channel(channel)
        if name not in self._access:
            self._access[name] = parse_access(self.root, channel=name, numbers=self.routing.keys.numbers)
        return self._access[name]

    def activation(self, channel: ChannelName | None, agent_id: AgentId | None = None) -> ActivationSettings:
        """When a message on `channel` wakes an agent; None is the default agent, and no channel in particular."""
        name = normalize_channel(channel)
        if (name, agent_id) not in self._activation:
            found = parse_activation(self.root, channel=name, agent_id=agent_id)
            self._activation[name, agent_id] = found
        return self._activation[name, agent_id]

    def sandbox(self, agent_id: AgentId, channel: ChannelName | None, group_id: str = "") -> SandboxSettings:
        """Where the tools of an agent run for a message of a channel and group (TYPE-4, TYPE-5)."""
        name = normalize_channel(channel) or None
        return parse_sandbox(self.root, agent_id=agent_id, channel=name, group_id=group_id)

    def tools(self, agent_id: AgentId, channel: ChannelName | None, group_id: str = "") -> ToolSettings:
        """Which tools an agent may use for a message of a channel and group (TYPE-5, TYPE-9)."""
        name = normalize_channel(channel) or None
        return parse_tools(self.root, agent_id=agent_id, channel=name, group_id=group_id)

    def mention_patterns(self, agent_id: AgentId) -> tuple[str, ...]:
        """Regular expressions that address an agent (ACT-4)."""
        return self.activation(None, agent_id).mention_patterns

    def channel_type(self, channel: ChannelName) -> str:
        """Which adapter runs `channel`: its configured type, else its own name."""
        found = self.channels.get(normalize_channel(channel))
        return found.type if found else str(channel)

    @cached_property
    def dock_channels(self) -> frozenset[ChannelName]:
        """The channels that ``/dock-…`` knows: those with native commands, and the configured ones (DOCK-1)."""
        return DOCK_CHANNELS | self.channels.keys()

    def workspace(self, agent_id: AgentId) -> str:
        """The folder of an agent: ``workspace`` unless it names another, below the state directory (TRANS-21)."""
        named = self.agents.get(agent_id).workspace or "workspace"
        return str(self.state_dir / render_template(named, agent_id=agent_id, home=self.home))

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """Every secret that the configuration or the environment gives, for the redactor (LEAK-12)."""
        found = {*self.written_secrets, *self.models.secrets}
        found |= {each for each in (self.gateway.token, self.gateway.password) if each}
        found |= {channel.token for channel in self.channels.values() if channel.token}
        found.add(self.store.encryption.key or "")
        found.add(unquote(urlsplit(self.store.url or "").password or ""))
        return tuple(sorted(each for each in found if len(each) >= _SECRET_MIN_CHARS))


def parse_config(raw: Mapping[str, object], *, env: Mapping[str, str], state_dir: Path, home: Path) -> Config:
    """The configuration that `raw`, as it stands in a file, means. Raises ConfigError with the path of the setting.

    What is asked per channel is read here once, so that a mistake in one channel is told at once (CFG-2).
    """
    root = apply_aliases(raw)
    config = Config(
        root=root,
        state_dir=state_dir,
        home=home,
        routing=parse_routing(root),
        reset=parse_reset(root),
        send=parse_send(root),
        queue=parse_queue(root),
        delivery=parse_delivery(root),
        compaction=parse_compaction(root),
        pruning=parse_pruning(root),
        heartbeat=parse_heartbeat(root),
        history=parse_history(root),
        dm_history=parse_dm_history(root),
        maintenance=parse_maintenance(root),
        memory=parse_memory(root),
        budgets=parse_budgets(root),
        reset_triggers=parse_commands(root),
        agents=parse_agents(root),
        levels=parse_level_defaults(root),
        models=parse_models(root, environ=env),
        channels=parse_channels(root, env=env),
        gateway=parse_gateway(root, env=env),
        store=parse_store(root, state_dir=state_dir, home=home, env=env),
        written_secrets=frozenset(_find_secrets(root, "", env)),
    )
    for channel in config.channels:
        config.access(channel)
        config.activation(channel)
        config.sandbox(config.agents.default_id, channel)
        config.tools(config.agents.default_id, channel)
    for agent in config.agents.all:
        config.sandbox(agent.id, None)
        config.tools(agent.id, None)
    return config


def _find_secrets(value: object, name: str, env: Mapping[str, str]) -> Iterator[str]:
    """Texts that stand under a name that says secret; for a reference to a variable, what that holds."""
    if isinstance(value, Mapping):
        if _SECRET_NAME.search(name) and value.get("source") == "env":
            yield env.get(str(value.get("id")), "").strip()
        for inner, each in value.items():
            yield from _find_secrets(each, str(inner), env)
    elif isinstance(value, list):
        for each in value:
            yield from _find_secrets(each, name, env)
    elif isinstance(value, str) and _SECRET_NAME.search(name):
        named = _VARIABLE.fullmatch(value.strip())
        yield (value if named is None else env.get(named[1], "")).strip()
