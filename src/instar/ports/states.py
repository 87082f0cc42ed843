"""What sessions are told of changes in others, as a store keeps it (STATE-1…9).

Events are written by the changes that cause them, and notices taken by the begin of a turn (`SessionChange.states`,
`SessionChange.told`); here are the questions, and what no change of a session causes.

Every method may raise a `StoreError`; then nothing of it was stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from instar.core.model.ids import Instant, SessionKey
from instar.core.model.state import ChangesSince

__all__ = ["StateStore"]


class StateStore(Protocol):
    """The state logs of all sessions, and who watches whom."""

    async def changes(self, key: SessionKey, *, since: int) -> ChangesSince:
        """What happened in a session after a version, oldest first, at most 200 events (STATE-8). Moves no cursor."""
        ...

    async def versions(self, keys: Sequence[SessionKey]) -> Mapping[SessionKey, int]:
        """The versions of sessions (STATE-2); those in which nothing has happened yet are left out."""
        ...

    async def watch(self, watcher: SessionKey, target: SessionKey) -> None:
        """Let a session watch another from now on; one that does already goes on as it does (STATE-3)."""
        ...

    async def is_watching(self, watcher: SessionKey, target: SessionKey) -> bool:
        """Whether a session watches another."""
        ...

    async def prune(self, now: Instant) -> int:
        """Forget some of the events that are too old or too many; how many went, 0 when nothing is left to forget."""
        ...
