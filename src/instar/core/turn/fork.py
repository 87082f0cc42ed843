"""How a thread begins: as a fork of the session that it hangs under, or empty (KEY-17, KEY-18).

Whoever opens a thread goes on from what was said above it. So the first message of a thread finds the active branch of
its parent, up to what is whole: a turn of the parent that still waits for a tool is left out from its call on, so that
calls and results stay paired. A call that nobody waits for any more, as imports bring them, is copied like the rest.
Later lives of the thread (a reset by a command or by time) begin empty like any other.

The invariant: words go only where the same people are. The key of a parent is the beginning of its thread's, so the
place is the same; the shell says with `ThreadParent.obstacle` where the rows do not agree with that.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from instar.core.context.tokens import estimate_entry
from instar.core.model.decision import Decision
from instar.core.model.entry import AnyEntry, AssistantMessage, MessageEntry
from instar.core.model.ids import SessionId, SessionKey
from instar.core.policy.ownership import SessionOwnership, resolve_ownership
from instar.core.routing.grammar import DEFAULT_MAIN_KEY
from instar.core.routing.identity import Links
from instar.core.transcript.tree import plan_fork
from instar.core.turn.recover import find_open_calls

__all__ = ["FORK_MAX_TOKENS", "Fork", "Obstacle", "ThreadParent", "decide_fork", "find_obstacle", "is_too_large"]

FORK_MAX_TOKENS: Final = 100_000
"""The largest branch that is copied, by the estimate of its lines (TRANS-18)."""

Obstacle = Literal["not_shared", "shut"]
"""Why nothing may be copied: the thread is somebody else's than its parent, or what is kept of the parent is being
deleted at this moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadParent:
    """The session that a thread hangs under. `lines` is its active branch, root first; of one that `is_too_large` the
    newest part is enough. `is_running` says that a turn may be writing it.
    """

    key: SessionKey
    session_id: SessionId
    lines: tuple[AnyEntry, ...] = ()
    is_running: bool = False
    obstacle: Obstacle | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """The lines that a thread begins with, and why these; `session_id` is where they are from, None without any."""

    decision: Decision
    session_id: SessionId | None = None
    lines: tuple[AnyEntry, ...] = ()


def find_obstacle(
    key: SessionKey,
    parent_key: SessionKey,
    *,
    owner: str | None,
    parent_owner: str | None,
    links: Links,
    main_key: str = DEFAULT_MAIN_KEY,
) -> Obstacle | None:
    """Whether the thread is not its parent's people's: somebody may open a thread under another's key (LEAK-4)."""
    thread = resolve_ownership(key, SessionOwnership(owner=owner), links, main_key=main_key)
    parent = resolve_ownership(parent_key, SessionOwnership(owner=parent_owner), links, main_key=main_key)
    return None if thread.owner == parent.owner else "not_shared"


def is_too_large(lines: Sequence[AnyEntry]) -> bool:
    """Whether so many lines are not copied any more."""
    return _count(lines) > FORK_MAX_TOKENS


def decide_fork(parent: ThreadParent) -> Fork | None:
    """What the first turn of a thread takes from its parent; None where there is nothing, which needs no word."""
    if parent.obstacle is not None:
        return Fork(decision=_decision(parent, parent.obstacle))
    if is_too_large(parent.lines):
        return Fork(decision=_decision(parent, "too_large", limit_tokens=FORK_MAX_TOKENS))
    lines = plan_fork(_cut_open_calls(parent.lines) if parent.is_running else parent.lines)
    if not lines:
        return None
    decision = _decision(parent, "copied", session_id=parent.session_id, lines=len(lines), tokens=_count(lines))
    return Fork(decision=decision, session_id=parent.session_id, lines=lines)


def _decision(parent: ThreadParent, outcome: str, **inputs: str | int) -> Decision:
    return Decision(kind="fork", outcome=outcome, rule="KEY-18", inputs={"parent": parent.key, **inputs})


def _count(lines: Sequence[AnyEntry]) -> int:
    return sum(map(estimate_entry, lines))


def _cut_open_calls(lines: Sequence[AnyEntry]) -> tuple[AnyEntry, ...]:
    """The lines before the first answer with a call that waits for its result, wherever it stands: what turns beside
    that one have said may come after it (QUEUE-9).
    """
    waiting = {id(call) for call in find_open_calls(lines)}
    return tuple(itertools.takewhile(lambda entry: not _has_call(entry, waiting), lines))


def _has_call(entry: AnyEntry, waiting: Collection[int]) -> bool:
    message = entry.message if isinstance(entry, MessageEntry) else None
    return isinstance(message, AssistantMessage) and any(id(block) in waiting for block in message.content)
