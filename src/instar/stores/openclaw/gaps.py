"""Two entries of an index that mean one session: what the later used one takes from the other (KEY-15).

What belongs here: which fields fill a gap. What does not: which of the two counts, which `plan` decides. Whatever the
later used entry says stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from instar.core.lifecycle.reset import apply_reset
from instar.core.model.fields import SESSION_FIELDS, format_session, parse_session
from instar.core.model.ids import AgentId, Instant, SessionId, SessionKey

__all__ = ["fill_gaps"]

_TOGETHER: Final = (
    frozenset({"lastChannel", "lastTo", "lastAccountId", "lastThreadId", "deliveryContext"}),
    frozenset({"providerOverride", "modelOverride", "authProfileOverride", "authProfileOverrideSource"}),
)
"""Fields that say one thing together: a route, and a model with the login that was chosen for it."""

_SPEAKING_GAPS: Final = frozenset({"archivedAt", "pinnedAt", "markedUnreadAt", "abortedLastRun"})
"""Fields whose absence says something: who took a session out of the archive took the field away."""

_LIVES: Final = ("sessionId", "sessionFile")


def fill_gaps(
    newer: Mapping[str, object], older: Mapping[str, object], *, may_take_life: bool = True
) -> dict[str, object]:
    """The fields of the later used entry, with what it lacks taken from the other one.

    When both speak of one life of the session, or the later used one names none, every field fills a gap. When they
    contradict each other about the life, only what a reset carries into the next one does (RESET-22, RESET-23): names,
    place and settings, but no session id, time or counter, and no right to reach the host. `may_take_life` is False
    when the life of the older one is another session's by now.
    """
    lives = {name: newer.get(name) for name in _LIVES if not _is_gap(newer.get(name))}
    is_one_life = lives.get("sessionId", older.get("sessionId")) == older.get("sessionId") and (
        "sessionId" in lives or (not lives and may_take_life)
    )
    offered = dict(older) if is_one_life else _keep_beyond_life(older)
    refused = set(_SPEAKING_GAPS)
    for group in _TOGETHER:
        refused |= group if any(not _is_gap(newer.get(name)) for name in group) else frozenset()
    taken = {name: value for name, value in offered.items() if name not in refused and _is_gap(newer.get(name))}
    return {**newer, **taken}


def _keep_beyond_life(entry: Mapping[str, object]) -> dict[str, object]:
    """What a reset of this session would carry over."""
    named = {**entry, "sessionId": "another"}
    session = parse_session(named, key=SessionKey("agent:main:main"), agent_id=AgentId("main"))
    if session is None:
        return {}
    kept = format_session(apply_reset(session, session_id=SessionId("next"), now=Instant(0)))
    of_life = {"lifecycleRevision", *_LIVES}
    of_life |= {name for name, path in SESSION_FIELDS.items() if path.startswith(("lifecycle.", "counters."))}
    return {name: value for name, value in kept.items() if name not in of_life}


def _is_gap(value: object) -> bool:
    return value is None or value == ""
