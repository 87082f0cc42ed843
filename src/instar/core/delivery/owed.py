"""What becomes of a reply that is owed (LOSS-5).

A reply moves ``pending → sending → sent``. A sending that fails comes back to ``pending`` for a later try until
its tries are used up or the failure is permanent, then it is ``failed``. One whose fate nobody knows, since the
process died between send and receipt, is ``unknown``: sent again where a repeat cannot reach a person twice or
while it is young, held for a person to decide otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

from instar.core.model.change import DeliveryState
from instar.core.model.ids import Instant

__all__ = ["DeliverySettings", "NextStep", "decide_after_failure", "decide_unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySettings:
    """Limits of the outbox.

    `max_attempts` counts sendings. The wait before try n+1 is ``backoff_ms * 2**(n-1)``, at most `backoff_max_ms`.
    `resend_within_ms` is how young an ``unknown`` reply must be to be sent again (``delivery.resendWithin``).
    `send_timeout_s` bounds one sending.
    """

    max_attempts: int = 6
    backoff_ms: int = 1_000
    backoff_max_ms: int = 300_000
    resend_within_ms: int = 600_000
    send_timeout_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """The state a reply moves to; `next_at` is when a ``pending`` one is due, None for at once; `rule` says why."""

    state: DeliveryState
    next_at: Instant | None = None
    rule: str = "LOSS-5"


def decide_after_failure(
    settings: DeliverySettings, *, attempt: int, permanent: bool, retry_after_ms: int | None, now: Instant
) -> NextStep:
    """Decide whether a failed sending is tried again: later, or never.

    `attempt` counts from 1. `retry_after_ms` is the platform's own word on when to come back; it is obeyed when it
    is longer than our own wait.
    """
    if permanent or attempt >= settings.max_attempts:
        return NextStep(state="failed")
    doubled: int = settings.backoff_ms << min(attempt - 1, 20)
    wait = max(min(doubled, settings.backoff_max_ms), retry_after_ms or 0)
    return NextStep(state="pending", next_at=Instant(now + wait))


def decide_unknown(settings: DeliverySettings, *, tells_repeats: bool, created_at: Instant, now: Instant) -> NextStep:
    """Decide what to do with a reply that may or may not have been sent: send it again, or hold it.

    One from the future was owed before the clock was set back. Nobody can say how old it is, so it is not young.
    """
    if tells_repeats or abs(now - created_at) <= settings.resend_within_ms:
        return NextStep(state="pending")
    return NextStep(state="unknown")
