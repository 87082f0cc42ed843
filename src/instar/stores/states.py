"""Transactions about what sessions are told of changes in others: log, watches, notices (STATE-1…9).

Who is told what is decided by `instar.core.lifecycle.awareness`. Invariants kept here: the version of a session never
falls, also when its log is pruned or the session deleted; a watcher has at most one waiting notice about a session;
no column holds words of a message (LEAK-6).

Whatever is written here runs beside an effect that counts more, under `Transaction.attempt`: a log that cannot be
written fails no turn (STATE-9).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from instar.core.lifecycle.awareness import (
    CHANGES_MAX,
    NOTICES_MAX,
    NOTIFYING,
    LogPruning,
    Watch,
    WatchNotice,
    apply_taken,
    build_notice_text,
    changes_since,
    decide_notice,
    keep_watch,
    next_version,
    note_upstream_missing,
    open_watch,
    plan_log_pruning,
)
from instar.core.model.ids import Instant, SessionKey
from instar.core.model.state import ChangesSince, StateEvent, StateNote, WaitingNotice
from instar.stores.rows import format_json
from instar.stores.transaction import Engine, Params, Row, Transaction

__all__ = ["StateRows", "forget_states", "load_notices", "record_states", "renounce_watches", "take_notices"]

PRUNE_ROWS: Final = 1_000
"""Events forgotten in one go, so that no turn waits long for the writer."""

_NEWS: Final = format_json(sorted(NOTIFYING))


class StateRows:
    """Keeps `instar.ports.states.StateStore`, which tells what each method means."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def changes(self, key: SessionKey, *, since: int) -> ChangesSince:
        """What happened in a session after a version."""
        return await self._engine.read(lambda tx: _load_changes(tx, key, since=since))

    async def versions(self, keys: Sequence[SessionKey]) -> Mapping[SessionKey, int]:
        """The versions of sessions."""
        return await self._engine.read(lambda tx: _load_versions(tx, keys)) if keys else {}

    async def watch(self, watcher: SessionKey, target: SessionKey) -> None:
        """Let a session watch another from now on."""
        await self._engine.write(lambda tx: _add_watch(tx, watcher, target))

    async def is_watching(self, watcher: SessionKey, target: SessionKey) -> bool:
        """Whether a session watches another."""
        params = {"watcher": watcher, "target": target}
        return await self._engine.read(lambda tx: tx.one("load_watch", params)) is not None

    async def prune(self, now: Instant) -> int:
        """Forget some of the events that are too old or too many."""
        return await self._engine.write(lambda tx: _prune_states(tx, now=now), purpose="freeing")


# --- writing ----------------------------------------------------------------------------------------------------------


def record_states(tx: Transaction, notes: Sequence[StateNote], *, key: SessionKey, now: Instant) -> None:
    """Number events and write them; who watches and has no notice yet gets one (STATE-1, STATE-4)."""
    for note in notes:
        target = note.session_key or key
        event = StateEvent(
            sequence=next_version(_version(tx, target)),
            kind=note.kind,
            actor_type=note.actor_type,
            summary=note.summary,
            at=now,
            actor=note.actor,
        )
        tx.run("save_state_version", {"session_key": target, "version": event.sequence})
        tx.run(
            "insert_state",
            {
                "session_key": target,
                "sequence": event.sequence,
                "kind": event.kind,
                "actor_type": event.actor_type,
                "actor": event.actor,
                "summary": event.summary,
                "at": now,
            },
        )
        for watcher in note.watchers:
            _open(tx, open_watch(watcher, target, version=event.sequence))
        if event.kind in NOTIFYING:
            _notify(tx, target, event, now=now)


def _notify(tx: Transaction, target: SessionKey, event: StateEvent, *, now: Instant) -> None:
    for row in tx.all("load_watches_of_target", {"target": target}):
        watch = _read_watch(row)
        _wait(tx, decide_notice(watch, event), before=watch, now=now)


def take_notices(tx: Transaction, notices: Sequence[WaitingNotice], *, key: SessionKey, now: Instant) -> None:
    """The watcher's turn has taken these: its cursors move on, and what came meanwhile opens new ones (STATE-5)."""
    for notice in notices:
        row = tx.one("load_watch", {"watcher": key, "target": notice.about})
        tx.run("delete_notice", {"session_key": key, "about": notice.about})
        if row is None:
            continue
        watch = _read_watch(row)
        since = watch.notice.version if watch.notice is not None else watch.cursor
        params: Params = {"session_key": notice.about, "since": since, "kinds": _NEWS, "watcher": key}
        taken = apply_taken(watch, [_read_event(one) for one in tx.all("load_newest_news", params)])
        tx.run("move_watch", {"watcher": key, "target": notice.about, "cursor": taken.cursor})
        _wait(tx, taken, before=None, now=now)


def _add_watch(tx: Transaction, watcher: SessionKey, target: SessionKey) -> None:
    """Let a session watch another from now on; one that does already goes on (STATE-3)."""
    if watcher != target:
        _open(tx, open_watch(watcher, target, version=_version(tx, target)))


def renounce_watches(tx: Transaction, key: SessionKey) -> None:
    """A session starts over: it watches nobody any more, and its notices are gone (STATE-7)."""
    _end_watches(tx, key, reset=key)


def forget_states(tx: Transaction, key: SessionKey, *, now: Instant) -> None:
    """A session is deleted: its log and every watch in which it took part go, and its children hear of it (STATE-7).

    Its version stays, so that it does not fall for a session of the same key.
    """
    _end_watches(tx, key, deleted=key)
    tx.run("delete_states", {"session_key": key})
    for (child,) in tx.all("list_children", {"parent": key}):
        record_states(tx, [note_upstream_missing(child, parent=key)], key=key, now=now)


def _prune_states(tx: Transaction, *, now: Instant) -> int:
    """Forget events that are too old or too many, some at a time; how many went (STATE-2)."""
    count = tx.one("count_states", {})
    plan: LogPruning = plan_log_pruning(count[0] if count is not None else 0, now=now)
    surplus = min(plan.surplus, PRUNE_ROWS)
    return tx.run("prune_states", {"surplus": surplus, "before_at": plan.before_at, "limit": PRUNE_ROWS})


def _version(tx: Transaction, key: SessionKey) -> int:
    row = tx.one("load_state_version", {"session_key": key})
    return int(row[0]) if row is not None else 0


def _open(tx: Transaction, watch: Watch) -> None:
    tx.run("open_watch", {"watcher": watch.watcher, "target": watch.target, "cursor": watch.cursor})


def _wait(tx: Transaction, watch: Watch, *, before: Watch | None, now: Instant) -> None:
    """Write the notice of a watch, if it has one that is not written yet."""
    notice = watch.notice
    if notice is None or (before is not None and before.notice is not None):
        return
    tx.run(
        "insert_notice",
        {
            "session_key": watch.watcher,
            "about": watch.target,
            "since": notice.since,
            "version": notice.version,
            "text": build_notice_text(watch, notice),
            "created_at": now,
        },
    )


def _end_watches(
    tx: Transaction, key: SessionKey, *, reset: SessionKey | None = None, deleted: SessionKey | None = None
) -> None:
    for row in tx.all("load_watches_of_either", {"session_key": key}):
        watch = _read_watch(row)
        if keep_watch(watch, reset=reset, deleted=deleted):
            continue
        tx.run("delete_watch", {"watcher": watch.watcher, "target": watch.target})
        tx.run("delete_notice", {"session_key": watch.watcher, "about": watch.target})


# --- questions --------------------------------------------------------------------------------------------------------


def load_notices(tx: Transaction, key: SessionKey) -> tuple[WaitingNotice, ...]:
    """What a session is told at the begin of its next turn, oldest first."""
    rows = tx.all("load_notices", {"session_key": key, "limit": NOTICES_MAX})
    return tuple(WaitingNotice(about=about, text=text) for about, text in rows)


def _load_changes(tx: Transaction, key: SessionKey, *, since: int) -> ChangesSince:
    """What happened in a session after a version (STATE-8)."""
    rows = tx.all("load_states", {"session_key": key, "since": since, "limit": CHANGES_MAX + 1})
    return changes_since([_read_event(row) for row in rows], since=since, state_version=_version(tx, key))


def _load_versions(tx: Transaction, keys: Sequence[SessionKey]) -> Mapping[SessionKey, int]:
    """The versions of sessions; those in which nothing has happened yet are left out."""
    return dict(tx.all("load_state_versions", {"keys": format_json(keys)}))


def _read_watch(row: Row) -> Watch:
    watcher, target, cursor, since, version = row
    notice = None if since is None else WatchNotice(since=since, version=version)
    return Watch(watcher=watcher, target=target, cursor=cursor, notice=notice)


def _read_event(row: Row) -> StateEvent:
    sequence, kind, actor_type, actor, summary, at = row
    return StateEvent(sequence=sequence, kind=kind, actor_type=actor_type, actor=actor, summary=summary, at=at)
