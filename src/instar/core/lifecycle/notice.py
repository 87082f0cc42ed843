"""The line that tells a person why the conversation started over (LOSS-7).

It is put in front of the first reply after an automatic reset, at delivery only: it is in no transcript.
"""

from __future__ import annotations

from typing import assert_never

from instar.core.lifecycle.freshness import StaleReason
from instar.core.lifecycle.reset import ResetPolicy

__all__ = ["build_reset_notice", "format_span"]

_UNITS = ((604_800, "week"), (86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def build_reset_notice(reason: StaleReason, *, policy: ResetPolicy) -> str | None:
    """One short line with the cause and the way back; None when the policy wants no notice.

    `reason` is the test that the old session failed, `policy` the one that asked.
    """
    if not policy.notify:
        return None
    match reason:
        case "daily":
            cause = f"daily reset at {policy.at_hour:02}:{policy.at_minute:02}"
        case "idle":
            cause = f"nothing was written for {format_span(policy.idle_s)}" if policy.idle_s else "it had been idle"
        case _:
            assert_never(reason)
    return f"New session ({cause}). /resume brings the last one back."


def format_span(seconds: int) -> str:
    """A length of time in the largest unit that it is a whole number of: ``90 seconds``, ``1 hour``, ``2 weeks``."""
    size, name = next((size, name) for size, name in _UNITS if seconds % size == 0 or size == 1)
    count = seconds // size
    return f"{count} {name}" if count == 1 else f"{count} {name}s"
