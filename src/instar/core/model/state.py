"""What happened to a session, for other sessions: events of its log, and notices that wait to be told (STATE-1…9).

None of it holds words of a message (LEAK-6). Which events count and who is told is decided by
`instar.core.lifecycle.awareness`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from instar.core.model.ids import Instant, SessionKey

__all__ = ["ActorType", "ChangesSince", "EventKind", "StateEvent", "StateNote", "WaitingNotice"]

ActorType = Literal["human", "agent", "system"]
"""Who did it: a person, a session's agent, or the gateway by itself."""

EventKind = Literal[
    "human_direct_message",
    "goal_changed",
    "upstream_missing",
    "child_spawned",
    "run_completed",
    "run_failed",
    "compacted",
    "adopted",
]
"""What may happen to a session (STATE-1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateNote:
    """An event as the decision that causes it says it, not yet numbered.

    `session_key` is the session it happened to, None for the one that the change is about. `actor` is the session that
    did it, None for a person or the gateway. `watchers` watch from this event on, if they do not yet.
    """

    kind: EventKind
    actor_type: ActorType
    summary: str
    session_key: SessionKey | None = None
    actor: SessionKey | None = None
    watchers: tuple[SessionKey, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StateEvent:
    """One row of a session's log, numbered within the session from 1. `summary` holds no message text."""

    sequence: int
    kind: EventKind
    actor_type: ActorType
    summary: str
    at: Instant
    actor: SessionKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesSince:
    """The answer to a question for changes (STATE-8).

    `history_gap` says that older events than these were asked for and are gone; `has_more` that the answer was cut.
    """

    state_version: int
    events: tuple[StateEvent, ...] = ()
    history_gap: bool = False
    has_more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingNotice:
    """What a session is told at the begin of its next turn: that `about` has changed. Its text is fixed."""

    about: SessionKey
    text: str
