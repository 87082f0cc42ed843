"""`compaction` and `contextPruning` of agents: how a long conversation fits a model's window."""

from __future__ import annotations

from instar.config.schema.base import Section, setting

__all__ = ["Compaction", "ContextPruning", "HardClear", "MemoryFlush", "PruningTools", "QualityGuard", "SoftTrim"]


class MemoryFlush(Section):
    """What is written down before a compaction."""

    enabled: bool | None = setting("Whether there is such a turn.", default="`true`", rules="FLUSH-1")
    soft_threshold_tokens: object = setting(
        "So long before a compaction would be due.", default="4000", unit="tokens", rules="FLUSH-2"
    )
    prompt: str | None = setting("What the agent is asked.", rules="FLUSH-4")
    system_prompt: str | None = setting("What the agent is told.", rules="FLUSH-4")
    model: str | None = setting("Another model for it.", rules="FLUSH-1")
    force_flush_transcript_bytes: object = setting(
        "Also when the transcript is so large.", unit="size", rules="FLUSH-1"
    )


class QualityGuard(Section):
    """How a summary is checked."""

    enabled: bool | None = setting("`false` is the same as `identifierPolicy: off`.", rules="COMPACT-14")
    max_retries: object = setting("Attempts to mend a summary that lost an identifier.", rules="COMPACT-14")


class Compaction(Section):
    """How long conversations are summarised."""

    enabled: bool | None = setting("Whether it happens by itself.", default="`true`", rules="COMPACT-3")
    mode: str | None = setting("`safeguard` or `default`.", rules="COMPACT-1")
    keep_recent_tokens: object = setting(
        "So much stays as it is.", default="20000", unit="tokens", rules="COMPACT-2, COMPACT-8"
    )
    reserve_tokens: object = setting(
        "So much of the window is kept free.", default="16384", unit="tokens", rules="COMPACT-2"
    )
    reserve_tokens_floor: object = setting(
        "At least so much; 0 sets no floor.", default="20000", unit="tokens", rules="COMPACT-2"
    )
    model: str | None = setting("Another model for summaries.", default="that of the session", rules="COMPACT-1")
    identifier_policy: str | None = setting(
        "`strict` checks that ids, addresses and names survive; `off` does not.",
        default="`strict`",
        rules="COMPACT-14",
    )
    quality_guard: QualityGuard | None = setting("How a summary is checked.", rules="COMPACT-14")
    custom_instructions: str | None = setting("What every summary should mind.", rules="COMPACT-13")
    notify_user: bool | None = setting("Whether everybody is told.", default="`false`", rules="COMPACT-23")
    max_active_transcript_bytes: object = setting(
        "Also when the transcript is so large.", default="off", unit="size", rules="COMPACT-6"
    )
    memory_flush: MemoryFlush | None = setting("What is written down before.", rules="FLUSH-*")
    provider: str | None = setting(
        "The provider of `model`, where it is not named there; by itself the provider that is asked for the session's"
        " own model.",
        default="that of the session's model",
        rules="COMPACT-1",
    )


class SoftTrim(Section):
    """The first stage: long results lose their middle."""

    max_chars: object = setting(
        "Results longer than this are trimmed.", default="4000", unit="characters", rules="PRUNE-12"
    )
    head_chars: object = setting("So much of the beginning stays.", default="1500", unit="characters", rules="PRUNE-12")
    tail_chars: object = setting("So much of the end stays.", default="1500", unit="characters", rules="PRUNE-12")


class HardClear(Section):
    """The second stage: old results are replaced."""

    enabled: bool | None = setting("Whether there is one.", default="`true`", rules="PRUNE-13, PRUNE-15")
    placeholder: str | None = setting(
        "What stands instead.", default="`[Old tool result content cleared]`", rules="PRUNE-15"
    )


class PruningTools(Section):
    """Whose results may be trimmed; `*` in a name stands for anything."""

    allow: list[str] | None = setting("Only these tools.", default="all", rules="PRUNE-16")
    deny: list[str] | None = setting("Never these tools.", default="none", rules="PRUNE-16")


class ContextPruning(Section):
    """How old tool results are trimmed in what is sent; what is stored never changes."""

    mode: object = setting(
        "`cache-ttl` or `off`.", default="`off`; `cache-ttl` for Anthropic models", rules="PRUNE-2, PRUNE-3"
    )
    ttl: object = setting(
        "Only when the last request is so long ago.",
        default='`"5m"`',
        unit="duration, a bare number counts minutes",
        rules="PRUNE-5",
    )
    keep_last_assistants: object = setting(
        "What came after so many of the last answers stays.", default="3", rules="PRUNE-8"
    )
    soft_trim_ratio: object = setting(
        "The first stage begins when so much of the window is used.", default="0.3", limit="0 to 1", rules="PRUNE-10"
    )
    hard_clear_ratio: object = setting(
        "The second stage begins when so much is used after the first.", default="0.5", limit="0 to 1", rules="PRUNE-13"
    )
    min_prunable_tool_chars: object = setting(
        "The second stage needs so much to clear.", default="50000", unit="characters", rules="PRUNE-14"
    )
    soft_trim: SoftTrim | None = setting("The first stage.", rules="PRUNE-12")
    hard_clear: HardClear | None = setting("The second stage.", rules="PRUNE-15")
    tools: PruningTools | None = setting("Whose results may be trimmed.", rules="PRUNE-16")
