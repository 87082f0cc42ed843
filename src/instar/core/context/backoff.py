"""How soon a summary that could not be made is asked for again (COMPACT-18, LOSS-9).

A model that gives no usable summary now will most likely give none after the next message either, and each attempt is
paid for. So automatic attempts rest longer each time. One whose summary was longer than what it stood for is tried
again as soon as the context has outgrown it. What cannot wait is asked for all the same: a prompt that the provider
has refused, and a person's `/compact`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from instar.core.context.compaction import CompactionReason
from instar.core.lifecycle.reset import COMPACTION_FIELD
from instar.core.model.ids import Instant
from instar.core.model.session import Session

__all__ = ["find_next_attempt", "must_rest", "note_failure", "note_success"]

FIRST_REST_MS: Final = 5 * 60_000
"""The rest after the first failure; each further one doubles it."""

LONGEST_REST_MS: Final = 6 * 3_600_000
"""A model or a provider is mended within hours; then the next message finds out."""

_URGENT: Final = frozenset({"overflow", "manual"})


def must_rest(session: Session, reason: CompactionReason, *, now: Instant, estimated_tokens: int) -> bool:
    """Whether a compaction for this reason is put off; `estimated_tokens` is the estimate of the context now.

    A failure that lies in the future puts nothing off: the clock was set back since, perhaps by days.
    """
    again_at, failed_at = find_next_attempt(session), _number(session, "at")
    if reason in _URGENT or again_at is None or failed_at is None or not failed_at <= now < again_at:
        return False
    outgrown = _number(session, "tokens")
    return outgrown is None or estimated_tokens <= outgrown


def find_next_attempt(session: Session) -> Instant | None:
    """When an automatic compaction may be tried again at the latest, None where the last one went well."""
    count, failed_at = _number(session, "failures"), _number(session, "at")
    if count is None or failed_at is None or count < 1:
        return None
    # Bounded before it is computed: the count comes from a stored row.
    doublings = min(count - 1, 16)
    return Instant(failed_at + min(LONGEST_REST_MS, FIRST_REST_MS * 2**doublings))


def note_failure(session: Session, now: Instant, *, tokens: int | None = None) -> Session:
    """The session after an attempt that gave no summary, or with `tokens` one that would have made so large a context.

    Only the former counts: the model does its work, and the conversation was too short for it.
    """
    count = max(0, _number(session, "failures") or 0)
    noted = {"failures": count + 1, "at": now} if tokens is None else {"failures": 1, "at": now, "tokens": tokens}
    return replace(session, extra={**session.extra, COMPACTION_FIELD: noted})


def note_success(session: Session) -> Session:
    """The session after one that did."""
    return replace(session, extra={name: value for name, value in session.extra.items() if name != COMPACTION_FIELD})


def _number(session: Session, name: str) -> int | None:
    """A number of the note in the row; None where there is none, or the row holds something else."""
    noted = session.extra.get(COMPACTION_FIELD)
    value = noted.get(name) if isinstance(noted, Mapping) else None
    return value if isinstance(value, int) else None
