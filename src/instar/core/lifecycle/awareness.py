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
from typing import Final

from instar.core.model.ids import Instant, SessionKey
from instar.core.model.state import ChangesSince, EventKind, StateEvent, StateNote
from instar.core.routing.grammar import is_incognito_key

__all__ = [
    "CHANGES_MAX",
    "LOG_MAX_ROWS",
    "LOG_TTL_MS",
    "NOTICES_MAX",
    "NOTIFYING",
    "LogPruning",
    "Watch",
    "WatchNotice",
    "apply_taken",
    "build_notice_text",
    "changes_since",
    "decide_notice",
    "decide_watchers",
    "keep_watch",
    "next_version",
    "note_adopted",
    "note_compacted",
    "note_people",
    "note_run_end",
    "note_upstream_missing",
    "open_watch",
    "plan_log_pruning",
    "sees_changes",
]

NOTIFYING: Final[frozenset[EventKind]] = frozenset({"human_direct_message", "goal_changed", "upstream_missing"})
"""Kinds that are told to watchers; the others are only logged."""

CHANGES_MAX: Final = 200
"""How many events one question gets (STATE-8)."""

LOG_TTL_MS: Final = 30 * 86_400_000
"""How long an event is kept (STATE-2)."""

LOG_MAX_ROWS: Final = 50_000
"""How many events all logs together keep (STATE-2)."""

NOTICES_MAX: Final = 20
"""How many notices one turn begins with; the others wait for the next."""


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


def open_watch(watcher: SessionKey, target: SessionKey, *, version: int) -> Watch:
    """A watch that begins now: what happened up to `version` is no news to the watcher (STATE-3)."""
    return Watch(watcher=watcher, target=target, cursor=version)


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


def sees_changes(asker: SessionKey, target: SessionKey, *, spawned_by: SessionKey | None, is_watching: bool) -> bool:
    """Whether a session may ask for the changes of another: its own, those of what it spawned and of what it watches.

    Whoever watched has been told the key already; for all others it is as if there were no such session. One that lives
    in memory only no other ever sees (SESSTOOL-14).
    """
    if is_incognito_key(target):
        return asker == target
    return asker in {target, spawned_by} or is_watching


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


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPruning:
    """What of the logs may be forgotten: every event before `before_at`, and the `surplus` oldest ones."""

    before_at: Instant
    surplus: int


def plan_log_pruning(rows: int, *, now: Instant) -> LogPruning:
    """What may be forgotten of logs that hold `rows` events (STATE-2). The versions of the sessions stay."""
    return LogPruning(before_at=Instant(now - LOG_TTL_MS), surplus=max(0, rows - LOG_MAX_ROWS))


# --- what is noted when -----------------------------------------------------------------------------------------------


def note_people(count: int, *, watchers: Sequence[SessionKey] = ()) -> tuple[StateNote, ...]:
    """The event of a turn that `count` messages of people began or were put into; none without any."""
    if not count:
        return ()
    summary = "A person wrote here." if count == 1 else f"People wrote here, {count} messages."
    return (StateNote(kind="human_direct_message", actor_type="human", summary=summary, watchers=tuple(watchers)),)


def note_run_end(*, failed: bool, reason: str | None) -> tuple[StateNote, ...]:
    """The event of a turn's end; `reason` is the code of what ended it, None for a plain answer."""
    why = f" ({reason})" if reason else ""
    if failed:
        return (StateNote(kind="run_failed", actor_type="system", summary=f"A turn ended without an answer{why}."),)
    return (StateNote(kind="run_completed", actor_type="agent", summary=f"A turn was completed{why}."),)


def note_compacted() -> tuple[StateNote, ...]:
    """The event of a compaction that was stored."""
    return (StateNote(kind="compacted", actor_type="system", summary="The context was compacted."),)


def note_adopted(key: SessionKey, *, parent: SessionKey) -> tuple[StateNote, ...]:
    """The events of a session that gets a parent: one in its own log and one in the parent's, which watches it now."""
    return (
        StateNote(
            kind="adopted",
            actor_type="system",
            summary=f"This session belongs to {parent} now.",
            actor=parent,
            watchers=decide_watchers(key, spawned_by=parent),
        ),
        StateNote(
            kind="child_spawned",
            actor_type="system",
            summary=f"Session {key} belongs to this one now.",
            session_key=parent,
            actor=parent,
        ),
    )


def note_upstream_missing(child: SessionKey, *, parent: SessionKey) -> StateNote:
    """The event of a session whose parent was deleted."""
    return StateNote(
        kind="upstream_missing",
        actor_type="system",
        summary=f"Session {parent}, which this one belonged to, was deleted.",
        session_key=child,
    )
