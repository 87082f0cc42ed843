"""Which tools a session may use, and whether they run on the host or in a sandbox (TYPE-1…10).

What belongs here: the decisions over settings and over who speaks. What does not: sandboxes themselves, and running
tools. The invariant: what must be sandboxed never falls back to the host (TYPE-8).

A tool must pass every layer that has lists; so a layer can take tools away and none can give them back. Only a group's
own lists stand in for those of its channel, since they are the same layer said more exactly.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from instar.core.model.decision import Decision
from instar.core.model.ids import AccountId, AgentId, ChannelName, SessionKey
from instar.core.model.message import ChatType
from instar.core.model.setting import Setting, SettingSource, pick_setting
from instar.core.policy.levels import ElevatedLevel, parse_elevated
from instar.core.policy.tool_patterns import ToolPatterns, allows_tool
from instar.core.routing.key import KeySettings, derive_session_key, is_main_key

__all__ = [
    "SandboxMode",
    "SandboxScope",
    "SandboxSettings",
    "Speaker",
    "ToolDecision",
    "ToolPlace",
    "ToolPlacing",
    "ToolSettings",
    "WorkspaceAccess",
    "build_refused_text",
    "decide_elevation",
    "decide_sandbox",
    "decide_tool",
    "decide_tool_place",
    "describe_runtime",
    "may_see_session",
    "resolve_policy_key",
    "sandbox_name",
]

SandboxMode = Literal["off", "non-main", "all"]
"""Which sessions are sandboxed: none, all but the agent's main one, or every one (TYPE-4)."""

SandboxScope = Literal["session", "agent", "shared"]
"""Who shares a sandbox (TYPE-7)."""

WorkspaceAccess = Literal["none", "ro", "rw"]
"""What a sandbox sees of the agent's workspace (TYPE-7)."""

ToolPlace = Literal["host", "sandbox", "refuse"]

_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """What holds for one agent on one channel. Each mode is None where its layer is silent.

    `group` is the group's own word, `channel` the channel's, `agent` the agent's, `config` that for all agents. An
    idle sandbox is removed after `idle_ttl_ms`, any after `max_ttl_ms`.
    """

    group: SandboxMode | None = None
    channel: SandboxMode | None = None
    agent: SandboxMode | None = None
    config: SandboxMode | None = None
    scope: SandboxScope = "session"
    workspace_access: WorkspaceAccess = "none"
    backend: Literal["bubblewrap", "docker"] = "bubblewrap"
    sees_sessions: Literal["spawned", "all"] = "spawned"
    idle_ttl_ms: int = _DAY_MS
    max_ttl_ms: int = 7 * _DAY_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSettings:
    """The lists of allowed and denied tools of each layer; None where a layer has none.

    `sandbox` holds in a sandbox only (TYPE-9).
    """

    channel: ToolPatterns | None = None
    agent: ToolPatterns | None = None
    config: ToolPatterns | None = None
    sandbox: ToolPatterns | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """Whose message a turn answers, and in which chat, in the spelling of its platform."""

    channel: ChannelName
    account_id: AccountId
    chat_type: ChatType
    peer_id: str
    is_owner: bool
    chat_id: str = ""

    @property
    def group_id(self) -> str:
        """The group or room that is spoken in; empty in a direct chat."""
        return "" if self.chat_type == "direct" else self.chat_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolDecision:
    """Whether a tool may be used; `source` is the layer that refused it, None if it is allowed."""

    allowed: bool
    rule: str = "TYPE-9"
    source: SettingSource | Literal["sandbox"] | None = None


def resolve_policy_key(
    key: SessionKey, *, agent_id: AgentId, keys: KeySettings, speaker: Speaker | None = None
) -> SessionKey:
    """The key under which tools are checked: the session's own, or for a stranger in the main session that of their
    chat if it had a session of its own.

    Messages that share the main session, one-to-one (TYPE-6) or under `groupScope: "main"`, would otherwise bring
    everybody the rights of its owner. `speaker` is None for a turn that nobody's message began.
    """
    if speaker is None or speaker.is_owner or not is_main_key(key, main_key=keys.main_key):
        return key
    return derive_session_key(
        KeySettings(known_channels=keys.known_channels, numbers=keys.numbers),
        agent_id=agent_id,
        channel=speaker.channel,
        kind=speaker.chat_type,
        peer_id=(speaker.group_id or speaker.peer_id) or "unknown",
        account_id=speaker.account_id,
        dm_scope="per-account-channel-peer",
    )


def decide_sandbox(
    settings: SandboxSettings, *, policy_key: SessionKey, main_key: str, override: bool | None = None
) -> Setting[bool]:
    """Whether the session's tools run in the sandbox, and who said so (TYPE-4…6).

    `policy_key` is what `resolve_policy_key` gave; `override` is the session's `sandboxMode`.
    """
    mode = pick_setting(
        ("channel", settings.group),
        ("channel", settings.channel),
        ("agent", settings.agent),
        ("config", settings.config),
        default="off",
    )
    if override is not None:
        return Setting(value=override, source="session")
    is_main = is_main_key(policy_key, main_key=main_key)
    return Setting(value=mode.value == "all" or (mode.value == "non-main" and not is_main), source=mode.source)


def decide_tool(name: str, settings: ToolSettings, *, sandboxed: bool) -> ToolDecision:
    """Whether a tool passes every layer that has lists (TYPE-5, TYPE-9)."""
    layers: tuple[tuple[SettingSource | Literal["sandbox"], ToolPatterns | None], ...] = (
        ("channel", settings.channel),
        ("agent", settings.agent),
        ("config", settings.config),
        ("sandbox", settings.sandbox if sandboxed else None),
    )
    for source, patterns in layers:
        if patterns is not None and not allows_tool(patterns, name):
            return ToolDecision(allowed=False, source=source)
    return ToolDecision(allowed=True)


def decide_elevation(held: str, *, is_owner: bool) -> ElevatedLevel:
    """How far tools may reach beyond the sandbox in one turn; `held` is the level that holds for it (RESOLVE-5).

    It holds only for messages of an owner: what an owner allowed is not allowed to whoever else writes here (TYPE-6).
    """
    said = parse_elevated(held)
    return said if said is not None and is_owner else "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolPlacing:
    """Where a tool runs, or that it does not; `source` is who put the session into the sandbox, or left it out."""

    place: ToolPlace
    rule: str
    source: SettingSource
    elevated: ElevatedLevel = "off"

    def as_decision(self, tool: str) -> Decision:
        """The record of this decision (WHY-1)."""
        return Decision(
            kind="tool",
            outcome=self.place,
            rule=self.rule,
            inputs={"tool": tool, "source": self.source, "elevated": self.elevated},
        )


def decide_tool_place(
    sandbox: Setting[bool], *, touches_host: bool, sandbox_available: bool, elevated: ElevatedLevel = "off"
) -> ToolPlacing:
    """Where a tool runs (TYPE-8). `sandbox` is what `decide_sandbox` gave.

    A tool that touches no host, such as a memory search, runs in the gateway anyway. Where an owner has switched
    elevated tools on the sandbox is left on purpose; where it merely cannot start it is not.
    """
    if not sandbox.value or not touches_host:
        return ToolPlacing(place="host", rule="TYPE-5", source=sandbox.source)
    if elevated != "off":
        return ToolPlacing(place="host", rule="CMD-28", source=sandbox.source, elevated=elevated)
    return ToolPlacing(place="sandbox" if sandbox_available else "refuse", rule="TYPE-8", source=sandbox.source)


def build_refused_text(tool: str, settings: SandboxSettings) -> str:
    """What the model is told of a call that was not run because the sandbox cannot start (TYPE-8)."""
    return (
        f"The tool {tool} was not run: the tools of this session run in a sandbox, and the sandbox "
        f"({settings.backend}) cannot start on this machine. Nothing was run on the host instead. The owner of the "
        "gateway can make the sandbox start, set sandbox.mode or sandboxMode for this session, or send /elevated on."
    )


def describe_runtime(settings: SandboxSettings, sandbox: Setting[bool], *, sandbox_available: bool) -> str:
    """Where a session's tools run, for people: ``direct (sandbox off)``, ``bubblewrap (sandbox all)`` (STATUS-1)."""
    mode = settings.group or settings.channel or settings.agent or settings.config or "off"
    said = f"sandbox {'set here' if sandbox.source == 'session' else mode}"
    if not sandbox.value:
        return f"direct ({said})"
    if sandbox_available:
        return f"{settings.backend} ({said})"
    return f"{settings.backend} ({said}; it cannot start here, so tools that touch the host fail)"


def sandbox_name(scope: SandboxScope, *, key: SessionKey, agent_id: AgentId) -> str:
    """The name under which a sandbox is shared: one per session, per agent, or one for all (TYPE-7).

    It waits for sandboxes that can be started, as the ages after which one is removed do.
    """
    names: dict[SandboxScope, str] = {"session": key, "agent": f"agent:{agent_id}", "shared": "shared"}
    return names[scope]


def may_see_session(
    settings: SandboxSettings, *, sandboxed: bool, caller: SessionKey, target: SessionKey, spawned: Iterable[SessionKey]
) -> bool:
    """Whether session tools show `target` to `caller`; `spawned` are the sessions the caller spawned (TYPE-10).

    What sessions see that are not sandboxed is another question (SESSTOOL-12). It waits for the session tools.
    """
    if not sandboxed or settings.sees_sessions == "all":
        return True
    return target == caller or target in frozenset(spawned)
