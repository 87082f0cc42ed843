"""One session: the row behind a session key, in groups that answer one question each.

The flat, camel-case form that files and the wire show (section 4.2 of the spec, ENTRY-*) is made by
`instar.core.model.fields`; inside, a session is these values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from instar.core.model.ids import AccountId, AgentId, ChannelName, Instant, SessionId, SessionKey
from instar.core.model.message import ChatType

__all__ = [
    "Counters",
    "Delivery",
    "Lifecycle",
    "Naming",
    "Origin",
    "Overrides",
    "RowKind",
    "Session",
    "SessionType",
]

SessionType = Literal[
    "main",
    "direct",
    "group",
    "channel",
    "cron",
    "hook",
    "node",
    "subagent",
    "acp",
    "global",
    "unknown",
    "other",
]
"""What a session key says about its conversation (KEY-16)."""

RowKind = Literal["global", "unknown", "group", "direct"]
"""How lists sort a session (ENTRY-10)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """When this life of the session began and was used (ENTRY-1, RESET-12…22).

    None means "not known": rows of older stores lack these fields, and RESET-12 says what stands in for them.
    `revision` rises with every reset.
    """

    started_at: Instant | None = None
    last_interaction_at: Instant | None = None
    updated_at: Instant | None = None
    last_activity_at: Instant | None = None
    archived_at: Instant | None = None
    pinned_at: Instant | None = None
    last_read_at: Instant | None = None
    marked_unread_at: Instant | None = None
    created_at: Instant | None = None
    revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """What people call the session (ENTRY-1, ENTRY-2).

    `first_words` is the beginning of the first user message of this life, kept so that a list can derive a title
    without opening the transcript (ENTRY-12, SCALE-6).
    """

    label: str | None = None
    display_name: str | None = None
    subject: str | None = None
    group_channel: str | None = None
    space: str | None = None
    first_words: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where the session came from, in the platform's own spelling (ENTRY-2, NORM-8)."""

    chat_type: ChatType | None = None
    channel: ChannelName | None = None
    group_id: str | None = None
    label: str | None = None
    provider: str | None = None
    surface: str | None = None
    from_id: str | None = None
    to_id: str | None = None
    account_id: AccountId | None = None
    thread_id: str | None = None
    spawned_by: SessionKey | None = None
    spawn_depth: int | None = None
    forked_from: str | None = None
    parent_key: SessionKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Where replies go: the last route, or the docked one (ENTRY-3, DOCK-4). `docked` holds against inbound routes."""

    channel: ChannelName | None = None
    to: str | None = None
    account_id: AccountId | None = None
    thread_id: str | None = None
    docked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What a person set for this session (ENTRY-4, ENTRY-5). None = not set: the next layer decides (RESOLVE-5)."""

    thinking_level: str | None = None
    verbose_level: str | None = None
    reasoning_level: str | None = None
    elevated_level: str | None = None
    response_usage: str | None = None
    tts_auto: str | None = None
    exec_host: str | None = None
    exec_security: str | None = None
    exec_ask: str | None = None
    exec_node: str | None = None
    send_policy: str | None = None
    group_activation: str | None = None
    group_activation_needs_system_intro: bool | None = None
    queue_mode: str | None = None
    queue_debounce_ms: int | None = None
    queue_cap: int | None = None
    queue_drop: str | None = None
    sandbox_mode: bool | None = None
    provider_override: str | None = None
    model_override: str | None = None
    auth_profile_override: str | None = None
    auth_profile_override_source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Tokens and turns of this life of the session (ENTRY-6, ENTRY-7). Tokens are as the provider counted them.

    `total_tokens` is the estimate of what the window holds now; `context_tokens` is the size of that window.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    context_tokens: int | None = None
    compaction_count: int = 0
    memory_flush_at: Instant | None = None
    memory_flush_compaction_count: int | None = None
    system_sent: bool = False
    aborted_last_run: bool = False
    model_provider: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One session as stored. `extra` holds fields this build does not know; they survive every write (ENTRY-8).

    `owner` is the principal that the session belongs to: a linked identity's name or ``channel:peer``; None for
    shared places and for the main session under dmScope main (LEAK-4).
    """

    key: SessionKey
    agent_id: AgentId
    session_id: SessionId
    owner: str | None = None
    lifecycle: Lifecycle = Lifecycle()
    naming: Naming = Naming()
    origin: Origin = Origin()
    delivery: Delivery = Delivery()
    overrides: Overrides = Overrides()
    counters: Counters = Counters()
    extra: Mapping[str, object] = field(default_factory=dict)
