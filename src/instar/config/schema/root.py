"""The whole configuration, with the sections that stand alone."""

from __future__ import annotations

from typing import Any

from instar.config.schema.agents import Agents, Binding, GroupChat, Models
from instar.config.schema.base import Section, setting
from instar.config.schema.channels import Channel, Commands
from instar.config.schema.session import Session

__all__ = [
    "Audit",
    "Auth",
    "ControlUi",
    "Cron",
    "Delivery",
    "Gateway",
    "Hooks",
    "Logging",
    "Memory",
    "MemorySearch",
    "Messages",
    "Queue",
    "Root",
    "Security",
]


class Queue(Section):
    """What happens to a message that comes while the agent is busy."""

    mode: str | None = setting(
        "`steer`, `followup`, `collect`, `interrupt`, `fanout` or `steer-backlog`.",
        default="`steer`",
        rules="QUEUE-1, QUEUE-10",
    )
    by_channel: dict[str, str | None] | None = setting("What differs by channel.", rules="QUEUE-11")
    debounce_ms: object = setting(
        "Quiet time before waiting messages are taken.",
        default="500",
        unit="duration, a bare number counts milliseconds",
        rules="QUEUE-10, QUEUE-14",
    )
    debounce_ms_by_channel: dict[str, object] | None = setting("What differs by channel.", rules="QUEUE-11")
    cap: object = setting("So many messages wait.", default="20", limit="1 or more", rules="QUEUE-13")
    drop: str | None = setting(
        "Which go beyond that: `summarize`, `old` or `new`.", default="`summarize`", rules="QUEUE-13"
    )


class Messages(Section):
    """How messages are taken."""

    queue: Queue | None = setting("While the agent is busy.", rules="QUEUE-*")
    group_chat: GroupChat | None = setting("In groups, for every agent.", rules="ACT-4, ACT-7")
    response_usage: object = setting(
        "The line under an answer about its tokens, for every agent: `off`, `tokens` or `full`, or by channel:"
        " `{default, telegram: …}`.",
        default="`off`",
        rules="RESOLVE-5",
    )


class Auth(Section):
    """How clients prove who they are."""

    mode: str | None = setting("`token` or `password`.", default="`token`", rules="GW-8")
    token: object = setting(
        'The shared token; `"${NAME}"` takes a variable.',
        default="`INSTAR_GATEWAY_TOKEN`, else one is made",
        rules="GW-8, GW-9",
        secret=True,
    )
    password: object = setting("The shared password.", default="`INSTAR_GATEWAY_PASSWORD`", rules="GW-8", secret=True)


class ControlUi(Section):
    """The dashboard."""

    allowed_origins: list[str] | None = setting(
        "Web pages of other origins that may connect.", default="none", rules="GW-11"
    )
    base_path: str | None = setting("Where it is served.", default="`/`", rules="DASH-1", later=True)
    enabled: bool | None = setting("Kept for OpenClaw's files.", later=True)


class Gateway(Section):
    """Where the gateway listens."""

    port: int | None = setting("Its port; 0 takes a free one.", default="18789", limit="0 to 65535", rules="GW-1")
    bind: str | None = setting("`loopback`, `lan`, or an address.", default="`loopback`", rules="GW-1, GW-9")
    custom_bind_host: str | None = setting("The address for `bind: custom`.")
    auth: Auth | None = setting("How clients prove who they are.", rules="GW-8")
    control_ui: ControlUi | None = setting("The dashboard.", rules="DASH-1")
    allowed_origins: list[str] | None = setting("As `controlUi.allowedOrigins`.", rules="GW-11")
    allow_unsafe: bool | None = setting(
        "Do not refuse pairs of settings that are never meant.", default="`false`", rules="WHY-5"
    )
    mode: str | None = setting("Kept for OpenClaw's files.", later=True)


class Delivery(Section):
    """How replies reach their channel."""

    resend_within: object = setting(
        "A reply whose fate is unknown is sent again while it is younger.",
        default='`"10m"`',
        unit="duration, a bare number counts minutes",
        rules="LOSS-5",
    )
    max_attempts: object = setting(
        "So many attempts, then it is given up and shown.", default="6", limit="1 or more", rules="LOSS-5"
    )


class MemorySearch(Section):
    """What is recalled."""

    remember_across_conversations: bool | None = setting(
        "Recall other sessions' private talk too, never in groups.", default="`false`", rules="MEM-11", later=True
    )


class Memory(Section):
    """What agents remember beyond a conversation."""

    enabled: bool | None = setting("Whether they do.", default="`true`", rules="MEM-1, MEM-2")
    store: str | None = setting("`local`, or the name of a plug-in.", default="`local`", rules="MEM-3", later=True)
    retrieve_count: object = setting("So many snippets at most.", default="5", rules="MEM-4", later=True)
    search: MemorySearch | None = setting("What is recalled.", rules="MEM-11")


class Hooks(Section):
    """Webhooks."""

    enabled: bool | None = setting("Whether they are served.", default="`false`", rules="HOOK-1", later=True)
    token: object = setting("Their secret.", rules="HOOK-1, HOOK-2", later=True, secret=True)
    path: str | None = setting("Where they are served.", default="`/hooks`", rules="HOOK-1", later=True)
    default_session_key: str | None = setting(
        "The session of a call that names none.", default="one of its own", rules="HOOK-6", later=True
    )
    allow_request_session_key: bool | None = setting(
        "Whether callers may name a session.", default="`false`", rules="HOOK-6", later=True
    )
    allowed_session_key_prefixes: list[str] | None = setting(
        "Sessions that callers may name begin so.", rules="HOOK-6", later=True
    )
    session_mode: str | None = setting("`persistent` keeps the conversation between calls.", rules="HOOK-7", later=True)
    mappings: list[object] | None = setting("Calls of other programs, by name.", rules="HOOK-9", later=True)


class Cron(Section):
    """Jobs by the clock."""

    enabled: bool | None = setting("Whether jobs run.", default="`true`", rules="CRON-1", later=True)
    session_retention: object = setting(
        "Rows of finished runs go after so long.", default='`"24h"`', unit="duration", rules="CRON-10", later=True
    )
    max_concurrent_runs: object = setting(
        "So many jobs run at once.", default="1", limit="1 or more", rules="CRON-11, QUEUE-2"
    )


class Logging(Section):
    """The log."""

    level: str | None = setting("`debug`, `info`, `warning` or `error`.", default="`info`", later=True)
    redact_sensitive: str | None = setting("`off` shows secrets in the log.", rules="LEAK-12, AUDIT-29", later=True)


class Audit(Section):
    """What `instar security audit` tells."""

    suppressions: list[object] | None = setting(
        "checkIds that the owner knows of; their findings are counted and not shown.", default="none", rules="AUDIT-34"
    )


class Security(Section):
    """Looking for what is risky."""

    audit: Audit | None = setting("What `instar security audit` tells.", rules="AUDIT-1")


class Root(Section):
    """A whole configuration, after `aliases.apply_aliases`."""

    session: Session | None = setting("Conversations.")
    agents: Agents | None = setting("Agents.")
    bindings: list[Binding] | None = setting("Which agent answers where.", rules="CFG-11")
    channels: dict[str, Channel | None] | None = setting("Channels by name.")
    commands: Commands | None = setting("Who may give commands.")
    messages: Messages | None = setting("How messages are taken.")
    models: Models | None = setting("Where models come from.")
    gateway: Gateway | None = setting("The gateway.")
    delivery: Delivery | None = setting("How replies reach their channel.")
    memory: Memory | None = setting("What agents remember.")
    hooks: Hooks | None = setting("Webhooks.")
    cron: Cron | None = setting("Jobs by the clock.")
    logging: Logging | None = setting("The log.")
    security: Security | None = setting("Looking for what is risky.")
    tools: dict[str, Any] | None = setting(
        "Which tools every agent may use: `{allow, deny}`, and `{sandbox: {tools: {allow, deny}}}` in a sandbox.",
        default="all",
        rules="TYPE-5, TYPE-9",
    )
    budgets: list[object] | None = setting("Limits of spending: `{match, per, limitUsd, action}`.", rules="COST-2")
