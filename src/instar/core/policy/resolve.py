"""Which session is meant, and which settings hold for it (RESOLVE-1…6, WHY-6).

What belongs here: choosing among sessions that a store found, and laying settings over each other with the place each
came from. What does not: finding sessions, and what single rooms decide themselves (queue, activation, send, sandbox,
reset); their answers are handed in and told in one list.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from instar.core.lifecycle.reset import ResetPolicy, ResetSettings, ResetType
from instar.core.model.fields import SESSION_FIELDS
from instar.core.model.ids import AgentId, ChannelName, SessionKey
from instar.core.model.session import Overrides, Session
from instar.core.model.setting import Setting, SettingSource, pick_setting
from instar.core.model.view import SessionRef
from instar.core.policy.activation import ActivationMode
from instar.core.policy.send import SendDecision
from instar.core.queue.settings import QueueSettings
from instar.errors import InvalidRequest

__all__ = [
    "ID_PREFIX_MIN_CHARS",
    "LEVEL_FIELDS",
    "PLAIN_DEFAULTS",
    "LevelDefaults",
    "LevelField",
    "SettingLayers",
    "effective_settings",
    "find_meant",
    "require_agent",
    "reset_source",
    "resolve_level",
    "resolve_plain_settings",
]

ID_PREFIX_MIN_CHARS: Final = 8
"""How much of a session id somebody must give at least (RESOLVE-6)."""

PLAIN_DEFAULTS: Final[Mapping[str, object]] = {
    "thinkingLevel": "off",
    "verboseLevel": "off",
    "reasoningLevel": "off",
    "elevatedLevel": "off",
    "responseUsage": "off",
    "model": None,
}
"""Settings that no room resolves for itself, with what holds when nobody says anything."""

LevelField = Literal["thinkingLevel", "verboseLevel", "reasoningLevel", "elevatedLevel", "responseUsage"]
LEVEL_FIELDS: Final[tuple[LevelField, ...]] = get_args(LevelField)
"""Those of `PLAIN_DEFAULTS` that are one word each, and ``off`` where nobody says anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelDefaults:
    """What the configuration says of `LEVEL_FIELDS`, by the fields' names; what it does not say is not there.

    `config` is what holds for all agents, `by_agent` what agents say themselves.
    """

    by_channel: Mapping[ChannelName, Mapping[str, str]] = field(default_factory=dict)
    by_agent: Mapping[AgentId, Mapping[str, str]] = field(default_factory=dict)
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingLayers:
    """What each layer says about the settings of `PLAIN_DEFAULTS`, by their names in files (RESOLVE-5).

    `inline` is the message's own directives; `agent` the agent's own object, `config` what holds for all agents.
    """

    inline: Mapping[str, object] = field(default_factory=dict)
    overrides: Overrides = field(default_factory=Overrides)
    channel: Mapping[str, object] = field(default_factory=dict)
    agent: Mapping[str, object] = field(default_factory=dict)
    config: Mapping[str, object] = field(default_factory=dict)


# --- which session ----------------------------------------------------------------------------------------------------


def find_meant(ref: SessionRef, found: Sequence[Session]) -> tuple[SessionKey, ...]:
    """The keys that a reference means among the sessions that the store found for it (RESOLVE-2, RESOLVE-3, RESOLVE-6).

    A whole session id beats the beginning of another, so that no session hides behind a longer id; a beginning counts
    from eight characters on.
    """
    if ref.session_id is not None:
        exact = [session for session in found if session.session_id == ref.session_id]
        found = exact or (found if len(ref.session_id) >= ID_PREFIX_MIN_CHARS else ())
    return tuple(session.key for session in found if _is_within(session, ref))


def _is_within(session: Session, ref: SessionRef) -> bool:
    """Whether a session passes the filters of a reference; the two special keys may always be named in full."""
    if session.key == "global" and not ref.include_global and ref.key is None:
        return False
    if session.key == "unknown" and not ref.include_unknown and ref.key is None:
        return False
    if ref.agent_id is not None and session.agent_id != ref.agent_id:
        return False
    return ref.spawned_by is None or session.origin.spawned_by == ref.spawned_by


def require_agent(agent_id: AgentId, known: Collection[AgentId]) -> None:
    """Raises `InvalidRequest` where somebody names an agent that is not configured.

    A binding to such an agent falls back to the default one (KEY-21); a request that names one is a mistake.
    """
    if agent_id not in known:
        raise InvalidRequest(
            f"unknown agent id '{agent_id}'",
            why=f"the agents are: {', '.join(known)}",
            fix="Name one of them, or leave it out for the default one.",
            field="agentId",
        )


# --- which settings ---------------------------------------------------------------------------------------------------


def resolve_level(name: LevelField, layers: SettingLayers) -> Setting[str]:
    """One level that holds, with the layer that said it (RESOLVE-5)."""
    found = resolve_plain_settings(layers)[name]
    return Setting(value=str(found.value), source=found.source)


def resolve_plain_settings(layers: SettingLayers) -> dict[str, Setting[object]]:
    """The settings of `PLAIN_DEFAULTS` that hold, each with the layer that said it (RESOLVE-5)."""
    session = _read_overrides(layers.overrides)
    return {
        name: pick_setting(
            ("inline", layers.inline.get(name)),
            ("session", session.get(name)),
            ("channel", layers.channel.get(name)),
            ("agent", layers.agent.get(name)),
            ("config", layers.config.get(name)),
            default=default,
        )
        for name, default in PLAIN_DEFAULTS.items()
    }


def effective_settings(
    layers: SettingLayers,
    *,
    queue: QueueSettings,
    activation: Setting[ActivationMode],
    send: SendDecision,
    sandbox: Setting[bool],
    reset: Setting[ResetPolicy],
) -> dict[str, Setting[object]]:
    """Every setting that holds for a session, by its name in files, with its value and source (WHY-6)."""
    sources: Mapping[str, SettingSource] = queue.sources
    return {
        **resolve_plain_settings(layers),
        "queueMode": Setting(value=queue.mode, source=sources.get("mode", "default")),
        "queueDebounceMs": Setting(value=queue.debounce_ms, source=sources.get("debounce_ms", "default")),
        "queueCap": Setting(value=queue.cap, source=sources.get("cap", "default")),
        "queueDrop": Setting(value=queue.drop, source=sources.get("drop", "default")),
        "groupActivation": Setting(value=activation.value, source=activation.source),
        "sendPolicy": Setting(value=send.verdict, source=_SEND_SOURCES.get(send.source, "config")),
        "sandboxMode": Setting(value=sandbox.value, source=sandbox.source),
        "reset": Setting(value=reset.value, source=reset.source),
    }


def reset_source(settings: ResetSettings, reset_type: ResetType, channel: ChannelName | None) -> SettingSource:
    """The strongest layer that takes part in a session's reset policy (RESET-8)."""
    if channel is not None and channel in settings.by_channel:
        return "channel"
    if reset_type in (settings.by_type or {}):
        return "type"
    return "default" if settings.base is None and settings.flat is None else "config"


_SEND_SOURCES: Final[Mapping[str, SettingSource]] = {"session": "session", "default": "default"}


def _read_overrides(overrides: Overrides) -> dict[str, object]:
    """What the session itself says, with the model as ``provider/model``."""
    model = overrides.model_override
    said: dict[str, object] = {}
    for name in PLAIN_DEFAULTS:
        group, _, attribute = SESSION_FIELDS[name].partition(".")
        if group == "overrides":
            said[name] = getattr(overrides, attribute)
    provider = overrides.provider_override
    said["model"] = f"{provider}/{model}" if provider and model else model
    return said
