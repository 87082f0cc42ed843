"""`agents`, `bindings` and `models`: who answers, where, and with which model."""

from __future__ import annotations

from typing import Any

from instar.config.schema.base import Levels, Section, setting
from instar.config.schema.context import Compaction, ContextPruning

__all__ = [
    "Agent",
    "AgentDefaults",
    "AgentIdentity",
    "AgentSettings",
    "Agents",
    "Binding",
    "BindingMatch",
    "BindingSession",
    "GroupChat",
    "Models",
    "Peer",
    "Provider",
]


class AgentIdentity(Section):
    """What an agent is called."""

    name: str | None = setting("The name that people call it by.", rules="ACT-4")
    emoji: str | None = setting("An emoji that stands for it.", rules="ACT-4")


class GroupChat(Section):
    """An agent in groups."""

    mention_patterns: list[str] | None = setting(
        "Regular expressions that address the agent.", default="its name and emoji", rules="ACT-4, ACT-5"
    )
    history_limit: object = setting("As `historyLimit` of a channel, for all.", default="50", rules="ACT-7")


class Subagents(Section):
    """Limits of sessions that agents spawn."""

    max_concurrent: object = setting(
        "So many turns of spawned sessions run at once, beside all others; read from `agents.defaults`.",
        default="8",
        limit="1 or more",
        rules="QUEUE-2",
    )
    max_spawn_depth: object = setting(
        "How deep spawned sessions may spawn others.", default="1", limit="1 to 5", rules="SESSTOOL-9"
    )


class AgentSettings(Levels):
    """What may be set for every agent under `agents.defaults` and for one in its own object."""

    model: object = setting(
        '`"provider/model"`, or `{primary, fallbacks: […]}`.',
        default="the first that answers; the echo without any",
        rules="CFG-13",
    )
    workspace: str | None = setting(
        "The agent's folder.", default="`workspace` in the state directory", rules="TRANS-21"
    )
    system_prompt: str | None = setting("What the model is told first.", default="a short text", rules="TRANS-21")
    group_chat: GroupChat | None = setting("How it is addressed in groups.", rules="ACT-4")
    identity: AgentIdentity | None = setting("What it is called.", rules="ACT-4")
    context_pruning: ContextPruning | None = setting(
        "How old tool results are trimmed in what is sent.", rules="PRUNE-2"
    )
    compaction: Compaction | None = setting("How long conversations are summarised.", rules="COMPACT-1")
    heartbeat: dict[str, Any] | None = setting(
        "Turns that nobody asked for: `{every, prompt, target}`.",
        default="every 30 minutes",
        rules="HEART-1",
        later=True,
    )
    sandbox: dict[str, Any] | None = setting(
        "Where tools run: `{mode, scope, workspaceAccess, backend}`. No sandbox is part of this build: tools that touch"
        " the host fail where one is asked for.",
        default="on this machine",
        rules="TYPE-4, TYPE-7, TYPE-8",
    )
    subagents: Subagents | None = setting("Limits of sessions that agents spawn.", rules="QUEUE-2, SESSTOOL-9")
    tools: dict[str, Any] | None = setting(
        "Which tools it may use: `{allow, deny}`; what one place takes away no other gives back.",
        default="all",
        rules="TYPE-5, TYPE-9",
    )


class AgentDefaults(AgentSettings):
    """What holds for every agent that does not say otherwise."""

    models: dict[str, Any] | None = setting(
        'The models that may be chosen: `{"provider/model": {alias}}`.', default="all that are known", rules="CFG-13"
    )
    context_tokens: object = setting(
        "The window of a model whose size nobody knows.",
        default="200000",
        unit="tokens",
        limit="1 or more",
        rules="PRUNE-6",
    )
    max_concurrent: object = setting("So many turns run at once.", default="64", limit="1 or more", rules="QUEUE-2")


class Agent(AgentSettings):
    """One agent; what it leaves out it has from `agents.defaults`."""

    id: str | None = setting(
        "Its name in keys; needed in `agents.list`.",
        limit="letters, digits, `_`, `-`; 64 characters",
        rules="NORM-1, CFG-10",
    )
    name: str | None = setting("Its name for people.", rules="ACT-4")
    default: bool | None = setting(
        "Whether it answers where no binding says otherwise.", default="the first one", rules="CFG-10"
    )


class Agents(Section):
    """The agents."""

    defaults: AgentDefaults | None = setting("What holds for every agent.", rules="CFG-10")
    in_order: list[Agent] | None = setting(
        "The agents, in order.", alias="list", default="one, called `main`", rules="CFG-10"
    )
    entries: dict[str, Agent | None] | None = setting("The agents by id.", rules="CFG-10")


class Peer(Section):
    """A person, group or room."""

    kind: str | None = setting("`direct`, `group` or `channel`.", rules="NORM-9")
    id: object = setting("Its id; `*` is every one of the kind.", rules="KEY-20")


class BindingMatch(Section):
    """What a binding asks for; everything given must match."""

    channel: str | None = setting("The channel.", rules="KEY-20")
    account_id: object = setting("The login; `*` is every one.", default="`default`", rules="KEY-20")
    peer: Peer | None = setting("The person, group or room.", rules="KEY-20")
    guild_id: object = setting("The guild around a room.", rules="KEY-20")
    team_id: object = setting("The team or workspace around a room.", rules="KEY-20")
    roles: list[object] | None = setting("Roles of the sender; one is enough.", rules="KEY-20")


class BindingSession(Section):
    """Scopes for what a binding matches."""

    dm_scope: str | None = setting("As `session.dmScope`.", rules="KEY-6")
    group_scope: str | None = setting("As `session.groupScope`.", rules="KEY-5")


class Binding(Section):
    """Which agent answers where."""

    agent_id: str | None = setting("The agent.", default="the default agent", rules="KEY-20, KEY-21")
    match: BindingMatch | None = setting("Where it answers.", rules="KEY-20")
    session: BindingSession | None = setting("Scopes that hold there.", rules="KEY-5, KEY-6")


class Provider(Section):
    """One provider of models."""

    base_url: str | None = setting("Its address.", default="known for built-in providers", rules="CFG-13")
    api_key: object = setting(
        'Its key; `"${NAME}"` takes a variable.', default="the provider's own variable", rules="CFG-13", secret=True
    )
    api: str | None = setting(
        "`openai-completions`, `openai-responses`, `anthropic-messages` or `google-generative-ai`.",
        default="`openai-completions`",
        rules="CFG-13",
    )
    models: list[object] | None = setting(
        "Its models: ids, or `{id, name, contextWindow, maxTokens, reasoning, input, cost}`.", rules="CFG-13"
    )
    headers: dict[str, str] | None = setting("Headers that every request gets.", secret=True)


class Models(Section):
    """Where models come from."""

    providers: dict[str, Provider | None] | None = setting(
        "Providers by name. `openai`, `anthropic`, `google` and `openrouter` need only a key.", rules="CFG-13"
    )
    mode: str | None = setting("Kept for OpenClaw's files.", later=True)
