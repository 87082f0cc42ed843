"""What a session is told of changes in others: the state log, its watchers and their notices (STATE-1…9).

What belongs here: which events count, who watches whom, and when a notice is due. What does not: storing the log, and
putting a notice into a turn. The log holds no text of messages (LEAK-6).

Theory of operation. Each session has a log whose sequence only rises; its highest number is the session's
`stateVersion`. A watcher keeps a cursor into the log of each session it watches, and at most one notice that waits.
The notice is fixed when it is opened; when the watcher's turn takes it, the cursor moves to the version the notice
named, and what came after it opens exactly one new notice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from instar.core.model.ids import Instant, SessionKey

__all__ = [
    "CHANGES_MAX",
    "LOG_MAX_ROWS",
    "LOG_TTL_MS",
    "NOTIFYING",
    "ActorType",
    "ChangesSince",
    "EventKind",
    "StateEvent",
    "Watch",
    "WatchNotice",
    "apply_taken",
    "build_notice_text",
    "changes_since",
    "decide_notice",
    "decide_watchers",
    "keep_watch",
    "next_version",
    "plan_log_pruning",
]

ActorType = Literal["human", "agent", "system"]

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

NOTIFYING: Final = frozenset({"human_direct_message", "goal_changed", "upstream_missing"})
"""Kinds that are told to watchers; the others are only logged."""

CHANGES_MAX: Final = 200
"""How many events one question gets (STATE-8)."""

LOG_TTL_MS: Final = 30 * 86_400_000
"""How long an event is kept (STATE-2)."""

LOG_MAX_ROWS: Final = 50_000
"""How many events a log keeps (STATE-2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateEvent:
    """One row of a session's log. `actor` is the session or person that caused it; `summary` holds no message text."""

    sequence: int
    kind: EventKind
    actor_type: ActorType
    summary: str
    at: Instant
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchNotice:
    """A notice that waits for the watcher's turn. It stays as it is until it is taken (STATE-4).

    `since` is the version to ask from, `version` the newest change that the notice knows of.
    """

    since: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One watcher's view of one session. `cursor` is the version up to which it has been told."""

    watcher: SessionKey
    target: SessionKey
    cursor: int = 0
    notice: WatchNotice | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesSince:
    """The answer to a question for changes (STATE-8).

    `history_gap` says that older events than these were asked for and are gone; `has_more` that the answer was cut.
    """

    state_version: int
    events: tuple[StateEvent, ...] = ()
    history_gap: bool = False
    has_more: bool = False


def next_version(newest: int) -> int:
    """The sequence of the next event. Versions never fall and are never used twice, also after pruning (STATE-2)."""
    return newest + 1


def decide_watchers(
    target: SessionKey,
    *,
    spawned_by: SessionKey | None = None,
    group_main: SessionKey | None = None,
    asked_by: Iterable[SessionKey] = (),
) -> tuple[SessionKey, ...]:
    """Who watches a session (STATE-3): its parent, the main session if it is an isolated group, and who asked to.

    `group_main` is the agent's main session once the group had its first turn with a person, else None. A session
    never watches itself.
    """
    watchers = [watcher for watcher in (spawned_by, group_main, *asked_by) if watcher is not None and watcher != target]
    return tuple(dict.fromkeys(watchers))


def decide_notice(watch: Watch, event: StateEvent) -> Watch:
    """The watch after an event of its target: perhaps with a notice (STATE-4, STATE-6).

    While a notice waits nothing is added to it: the watcher will ask from its version and see everything. Changes
    that the watcher made itself are no news to it.
    """
    is_news = event.kind in NOTIFYING and event.actor != watch.watcher and event.sequence > watch.cursor
    if watch.notice is not None or not is_news:
        return watch
    return replace(watch, notice=WatchNotice(since=watch.cursor, version=event.sequence))


def apply_taken(watch: Watch, later: Sequence[StateEvent]) -> Watch:
    """The watch after the watcher's turn took its notice (STATE-5).

    `later` are the events of the target after the version of the notice, in order: the first that is news opens
    exactly one new notice.
    """
    if watch.notice is None:
        return watch
    moved = replace(watch, cursor=max(watch.cursor, watch.notice.version), notice=None)
    news = [event for event in later if decide_notice(moved, event).notice is not None]
    if not news:
        return moved
    newest = max(event.sequence for event in news)
    return replace(moved, notice=WatchNotice(since=moved.cursor, version=newest))


def build_notice_text(watch: Watch, notice: WatchNotice) -> str:
    """The line a watcher's turn begins with; it names the session and the version to ask from (STATE-4)."""
    return (
        f"Session {watch.target} has changed. "
        f'Call session_status with sessionKey "{watch.target}" and changesSince {notice.since} to see what happened.'
    )


def keep_watch(watch: Watch, *, reset: SessionKey | None = None, deleted: SessionKey | None = None) -> bool:
    """Whether a watch outlives a reset or a deletion: not if its watcher starts over or either side goes (STATE-7)."""
    return watch.watcher != reset and deleted not in {watch.watcher, watch.target}


def changes_since(events: Sequence[StateEvent], *, since: int, state_version: int) -> ChangesSince:
    """The events after `since`, oldest first, at most 200 (STATE-8). Asking moves no cursor.

    `events` is the kept log in order. There is a gap where the first event after `since` is gone.
    """
    after = [event for event in events if event.sequence > since]
    oldest_kept = after[0].sequence if after else state_version + 1
    return ChangesSince(
        state_version=state_version,
        events=tuple(after[:CHANGES_MAX]),
        history_gap=since < state_version and oldest_kept > since + 1,
        has_more=len(after) > CHANGES_MAX,
    )


def plan_log_pruning(events: Sequence[StateEvent], *, now: Instant) -> int:
    """The highest sequence that may be forgotten, 0 for none (STATE-2). The version of the session stays."""
    forgotten = [event.sequence for event in events if event.at < now - LOG_TTL_MS]
    overflow = len(events) - LOG_MAX_ROWS
    if overflow > 0:
        forgotten.append(events[overflow - 1].sequence)
    return max(forgotten, default=0)
