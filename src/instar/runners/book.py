"""The configured models as the gateway asks for them (CFG-13): resolved once for each configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from instar.config.config import Config
from instar.core.model.ids import AgentId
from instar.core.policy.model_choice import ModelNames
from instar.errors import ModelNotFound
from instar.ports.runner import ModelSpec
from instar.runners.catalog import build_model_names, list_models, resolve_choice, resolve_model, supports_xhigh
from instar.runners.echo import ECHO_MODEL

__all__ = ["ConfiguredModels"]

T = TypeVar("T")


class ConfiguredModels:
    """Keeps `instar.gateway.parts.ModelBook`. `config` gives the configuration of the moment (CFG-12)."""

    def __init__(self, config: Callable[[], Config]) -> None:
        self._config = config
        self._of: Config | None = None
        self._known: dict[tuple[str, str], object] = {}

    def resolve(self, ref: str) -> ModelSpec | None:
        """The model that ``provider/model``, an alias or an id means; None for an unknown one."""

        def find() -> ModelSpec | None:
            try:
                return resolve_model(self._config().models, ref)
            except ModelNotFound:
                return None

        return self._remember("resolve", ref, find)

    def default_of(self, agent_id: AgentId) -> ModelSpec:
        """The model of an agent; the echo where none is configured. A name that fits nothing counts as no name."""
        return self._chosen(agent_id)[0]

    def fallbacks_of(self, agent_id: AgentId) -> tuple[ModelSpec, ...]:
        """The models that stand in for an agent's model, in order."""
        return self._chosen(agent_id)[1:]

    def names(self, agent_id: AgentId) -> ModelNames:
        """What a person may choose from, and the agent's own model as the default."""
        primary = self.default_of(agent_id)
        wanted = None if primary is ECHO_MODEL else primary.ref
        return self._remember("names", agent_id, lambda: build_model_names(self._config().models, primary=wanted))

    def xhigh_models(self) -> frozenset[str]:
        """The models, as ``provider/model``, that know the thinking level `xhigh` (PATCH-6)."""
        return self._remember("xhigh", "", lambda: frozenset(one.ref for one in self.all() if supports_xhigh(one)))

    def all(self) -> tuple[ModelSpec, ...]:
        """Every model of every provider, in configured order."""
        return self._remember("all", "", lambda: list_models(self._config().models))

    def _chosen(self, agent_id: AgentId) -> tuple[ModelSpec, ...]:
        def find() -> tuple[ModelSpec, ...]:
            config = self._config()
            choice = config.agents.get(agent_id).model
            try:
                return resolve_choice(config.models, primary=choice.primary, fallbacks=choice.fallbacks)
            except ModelNotFound:
                return resolve_choice(config.models, primary=None, fallbacks=choice.fallbacks)

        return self._remember("chosen", agent_id, find)

    def _remember(self, question: str, about: str, find: Callable[[], T]) -> T:
        """The answer as it was found for this configuration."""
        config = self._config()
        if config is not self._of:
            self._of, self._known = config, {}
        key = question, about
        if key not in self._known:
            self._known[key] = find()
        return self._known[key]  # type: ignore[return-value]  # each question has one type of answer
