"""`session`: which messages share a conversation, when it starts over, what is kept."""

from __future__ import annotations

from typing import Any

from instar.config.schema.base import Section, setting

__all__ = ["ActivationByType", "AgentToAgentTurns", "Maintenance", "Reset", "ResetByType", "Session"]


class Reset(Section):
    """When a session starts over."""

    mode: object = setting(
        "`daily`, `idle` or `none` (also `manual`, `off`).", default="`daily`", rules="RESET-1, RESET-2"
    )
    at_hour: object = setting(
        "Hour of the daily reset, in the gateway's own zone.",
        default="4",
        unit="hours",
        limit="0 to 23",
        rules="RESET-3, RESET-13",
    )
    at_minute: object = setting(
        "Minute of the daily reset.", default="0", unit="minutes", limit="0 to 59", rules="RESET-3"
    )
    idle_minutes: object = setting(
        "Start over after so long without a message; 0 switches this off.",
        default="off; 60 with mode `idle`",
        unit="minutes",
        rules="RESET-5, RESET-10",
    )
    reset_time: object = setting(
        'The daily time as `"4"`, `"4:30"` or `"04:30"`; `atHour` wins.', rules="RESET-3, RESET-4"
    )
    idle_timeout: object = setting("As `idleMinutes`, which wins.", unit="seconds", rules="RESET-5, RESET-6")
    notify: bool | None = setting(
        "Whether the first reply after an automatic reset says so and how to go back.", default="`true`", rules="LOSS-7"
    )
    quiet_minutes: object = setting(
        "Put a daily reset off while the session was used within so long.", default="0", unit="minutes", rules="LOSS-7"
    )


class ResetByType(Section):
    """What differs by kind of chat."""

    direct: Reset | None = setting("One-to-one chats.", rules="RESET-8")
    dm: Reset | None = setting("Older word for `direct`, which wins.", rules="X-5")
    group: Reset | None = setting("Groups and rooms.", rules="RESET-8")
    thread: Reset | None = setting("Threads and topics of either.", rules="RESET-8, RESET-11")


class Maintenance(Section):
    """What is kept of old sessions."""

    mode: object = setting(
        "`warn` tells what would go, `enforce` removes it.", default="`warn`", rules="MAINT-1, MAINT-11"
    )
    prune_after: object = setting(
        "Sessions unused for so long go.",
        default='`"30d"`',
        unit="duration, a bare number counts days",
        rules="MAINT-3",
    )
    max_entries: object = setting("At most so many sessions stay.", default="500", rules="MAINT-4, MAINT-9")
    preserve_recent: object = setting(
        "Sessions used within so long are never removed.", default="off", unit="duration", rules="MAINT-7"
    )
    archive_dashboard_after: object = setting(
        "Sessions of the dashboard are archived after so long without use.",
        default='`"7d"`',
        unit="duration",
        rules="MAINT-18",
    )
    reset_archive_retention: object = setting(
        "Archives of ended transcripts older than this are deleted.",
        default="kept",
        unit="duration",
        rules="MAINT-19",
        later=True,
    )
    max_disk_bytes: object = setting(
        "Remove the oldest above so much disk.",
        default="off",
        unit="size, a bare number counts bytes",
        rules="MAINT-16",
    )
    high_water_bytes: object = setting(
        "Down to so much.",
        default="80 % of `maxDiskBytes`",
        unit="size, a bare number counts bytes",
        rules="MAINT-16",
    )


class ActivationByType(Section):
    """When a message wakes the agent, by kind of chat: `always`, `mention` or `command`."""

    direct: str | None = setting("One-to-one chats.", default="`always`", rules="ACT-2")
    group: str | None = setting("Groups.", default="`mention`", rules="ACT-3")
    channel: str | None = setting("Rooms of a server.", default="`command`", rules="ACT-3")
    dm: str | None = setting("Older word for `direct`.", rules="NORM-9")
    room: str | None = setting("Older word for `channel`.", rules="NORM-9")


class AgentToAgentTurns(Section):
    """Agents that answer each other."""

    max_ping_pong_turns: int | None = setting(
        "At most so many answers in turn.", default="5", limit="0 to 5", rules="CFG-4, SESSTOOL-7", later=True
    )


class Encryption(Section):
    """Whether the words in the database are encrypted, each person's under a key of their own."""

    enabled: bool | None = setting(
        "Encrypt; a store that has rows is turned over by `instar encryption on`.", default="`false`", rules="LEAK-11"
    )
    key_file: str | None = setting(
        "The file with the master key; `instar encryption create-key FILE` makes one.", rules="LEAK-11"
    )
    key_env: str | None = setting("The environment variable with the master key, instead of a file.", rules="LEAK-11")


class Session(Section):
    """Which messages share a conversation, when it starts over, what is kept."""

    scope: str | None = setting(
        "`per-sender`, or `global` for one session instead of every main session.",
        default="`per-sender`",
        rules="KEY-10",
    )
    dm_scope: str | None = setting(
        "Who shares a one-to-one session: `main` (all), `per-peer`, `per-channel-peer`, `per-account-channel-peer`.",
        default="`main`",
        rules="KEY-2, KEY-3",
    )
    group_scope: str | None = setting(
        "`per-group`, or `main` to bring groups into the main session.", default="`per-group`", rules="KEY-5"
    )
    main_key: str | None = setting(
        "The name of the main session in keys.", default="`main`", limit="one word that keys do not use", rules="KEY-11"
    )
    identity_links: object = setting(
        'One person\'s ids: `{alice: ["telegram:1", "discord:2"]}`, or a list of `{name, ids, sharedSession}`.',
        rules="LINK-1…6",
    )
    reset: Reset | None = setting("When sessions start over.", rules="RESET-*")
    reset_by_type: ResetByType | None = setting("What differs by kind of chat, field by field.", rules="RESET-8")
    reset_by_channel: dict[str, Reset | None] | None = setting(
        "What holds for a channel instead of everything else.", rules="RESET-8"
    )
    reset_time: object = setting("As `reset.resetTime`.", rules="RESET-7")
    idle_timeout: object = setting("As `reset.idleTimeout`.", unit="seconds", rules="RESET-7")
    idle_minutes: object = setting("As `reset.idleMinutes`.", unit="minutes", rules="RESET-7, RESET-9")
    reset_triggers: list[str] | None = setting("Words that start over.", default='`["/new", "/reset"]`', rules="CMD-1")
    store: str | None = setting(
        "A directory, `sqlite:///path` or `postgresql://…`; `…/{agentId}/…/sessions.json` moves the mirror.",
        default="`instar.db` in the state directory",
        rules="STORE-1, STORE-8",
    )
    mirror: object = setting(
        'Whether readable copies are kept beside the database; `"per-key"` keeps one folder per session as well.',
        default="`true` with SQLite, `false` with PostgreSQL",
        rules="STORE-2, STORE-9",
    )
    encryption: Encryption | None = setting("Whether words are stored encrypted.", rules="LEAK-11")
    send_policy: object = setting(
        "Where replies may go: `{default, rules: [{action, match}], blocked: […]}`.",
        default="everywhere",
        rules="SEND-3, SEND-8",
    )
    activation_by_type: ActivationByType | None = setting(
        "When a message wakes the agent, by kind of chat.", rules="ACT-3"
    )
    maintenance: Maintenance | None = setting("What is kept of old sessions.", rules="MAINT-*")
    max_messages: object = setting(
        "At most so many messages are sent to the model.", default="no limit", rules="HIST-1"
    )
    max_tokens: object = setting(
        "At most so many tokens are sent to the model.", default="no limit", unit="tokens", rules="HIST-1"
    )
    compaction: object = setting(
        "What happens beyond these limits: `summarize`, `truncate` or `off`.",
        default="`summarize`",
        rules="HIST-2",
    )
    agent_to_agent: AgentToAgentTurns | None = setting("Agents that answer each other.", rules="CFG-4")
    thread_bindings: dict[str, Any] | None = setting("Kept for OpenClaw's files.", rules="CFG-4", later=True)
    sharing: dict[str, Any] | None = setting("Kept for OpenClaw's files.", rules="CFG-4", later=True)
