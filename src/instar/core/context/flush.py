"""The silent turn in which an agent writes down what it must not forget, before a compaction (FLUSH-1 to FLUSH-6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from instar.core.delivery.silent import SILENCE
from instar.core.model.decision import Decision
from instar.core.model.session import Counters

__all__ = ["FlushPrompts", "FlushSettings", "FlushTurn", "build_flush_prompts", "decide_flush"]

FlushTurn = Literal["user", "heartbeat", "cli"]
"""What the turn is that would come next: a person's, a heartbeat's, or one of a provider's own command-line agent."""

_PROMPT: Final = (
    "The conversation will be shortened soon. Write what must be remembered for good into today's memory note now."
)
_SYSTEM_PROMPT: Final = (
    f"This turn is for your notes only; nobody reads the answer. If there is nothing to write down, answer {SILENCE}."
)
_HINT: Final = f"If there is nothing to write down, answer {SILENCE} and nothing else."


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushSettings:
    """`agents.defaults.compaction.memoryFlush`. Prompts None: the built-in ones; `model` None: the session's own.

    `soft_threshold_tokens` is how long before the compaction the turn comes. `force_bytes`, if set, asks for it
    once the transcript is that large, whatever the tokens.
    """

    enabled: bool = True
    soft_threshold_tokens: int = 4_000
    prompt: str | None = None
    system_prompt: str | None = None
    model: str | None = None
    force_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushPrompts:
    """The words of the silent turn; both name the token for silence."""

    prompt: str
    system: str


def decide_flush(
    settings: FlushSettings,
    counters: Counters,
    *,
    window_tokens: int,
    reserve_tokens: int,
    turn: FlushTurn = "user",
    workspace_writable: bool = True,
    incognito: bool = False,
    transcript_bytes: int = 0,
) -> Decision:
    """Whether the silent turn runs before the next one: outcome ``flush`` or why not.

    `reserve_tokens` is the effective reserve of COMPACT-2.
    """
    threshold = window_tokens - reserve_tokens - settings.soft_threshold_tokens
    is_due = 0 < threshold <= counters.total_tokens
    is_forced = bool(settings.force_bytes) and transcript_bytes >= (settings.force_bytes or 0)
    if not settings.enabled:
        outcome, rule = "disabled", "FLUSH-1"
    elif turn != "user" or incognito or not workspace_writable:
        outcome, rule = "not-for-this-turn", "FLUSH-3"
    elif counters.memory_flush_compaction_count == counters.compaction_count:
        outcome, rule = "already-flushed", "FLUSH-5"
    elif not is_due and not is_forced:
        outcome, rule = "below-threshold", "FLUSH-2"
    else:
        outcome, rule = "flush", "FLUSH-2" if is_due else "FLUSH-1"
    inputs = {"totalTokens": counters.total_tokens, "threshold": threshold}
    return Decision(kind="flush", outcome=outcome, rule=rule, inputs=inputs)


def build_flush_prompts(settings: FlushSettings) -> FlushPrompts:
    """The configured words, with a hint where they do not name the token for silence (FLUSH-4)."""
    return FlushPrompts(
        prompt=_with_hint(settings.prompt or f"{_PROMPT} {_HINT}"),
        system=_with_hint(settings.system_prompt or _SYSTEM_PROMPT),
    )


def _with_hint(text: str) -> str:
    return text if SILENCE in text else f"{text}\n\n{_HINT}"
