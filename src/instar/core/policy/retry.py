"""What to do after a model request failed: wait and repeat, ask the next model, or give up.

    error                          another model is there      none is there
    overflow                       give up: compaction mends it (COMPACT-4)
    auth, not found, rejected,     next model                  give up
    quota used up
    rate limit, unavailable,       repeat once, then next      repeat with growing waits
    cut off

A repetition must fit into the time limit of the turn, its wait included. A provider's own word on how long to wait
counts, unless that is longer than `max_wait_s` and another model could answer meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass

from instar.errors import ModelError, ModelOverflow

__all__ = ["AskNext", "GiveUp", "Retry", "RetryDecision", "RetrySettings", "decide_retry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySettings:
    """How patient a turn is. Waits grow from `first_wait_s` by `growth` up to `max_wait_s`.

    `attempts` counts requests to one model when there is no other, `attempts_before_next` when there is. A model that
    was given up is not asked again for `rest_s` seconds while another one can answer.
    """

    attempts: int = 4
    attempts_before_next: int = 2
    first_wait_s: float = 1.0
    growth: float = 2.0
    max_wait_s: float = 30.0
    rest_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Ask the same model again after `wait_s` seconds."""

    wait_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AskNext:
    """Ask the next model, at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """Let the failure be told."""


RetryDecision = Retry | AskNext | GiveUp


def decide_retry(
    error: ModelError,
    *,
    attempt: int,
    elapsed_s: float,
    limit_s: float,
    has_next: bool,
    settings: RetrySettings,
) -> RetryDecision:
    """What follows the failure of request number `attempt` (from 1) to one model, `elapsed_s` into the turn."""
    if isinstance(error, ModelOverflow):
        return GiveUp()
    otherwise: RetryDecision = AskNext() if has_next and elapsed_s < limit_s else GiveUp()
    if not error.retryable or error.lasting:
        return otherwise
    if attempt >= (settings.attempts_before_next if has_next else settings.attempts):
        return otherwise
    wait_s = _wait(error, attempt, settings)
    if elapsed_s + wait_s >= limit_s or (has_next and wait_s > settings.max_wait_s):
        return otherwise
    return Retry(wait_s=wait_s)


def _wait(error: ModelError, attempt: int, settings: RetrySettings) -> float:
    """The provider's word if it gave one, else a wait that grows with each attempt."""
    if error.retry_after_ms is not None:
        return error.retry_after_ms / 1000
    return min(settings.max_wait_s, settings.first_wait_s * settings.growth ** (attempt - 1))
