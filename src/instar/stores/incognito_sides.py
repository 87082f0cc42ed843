"""Owners of sessions and their state logs, wherever the session is: on the disk or in memory (KEY-22)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from instar.core.model.ids import Instant, SessionKey
from instar.core.model.state import ChangesSince
from instar.core.policy.ownership import SessionOwnership
from instar.core.routing.grammar import is_incognito_key
from instar.ports.states import StateStore
from instar.ports.store import Store

__all__ = ["OwnersOfBoth", "StatesOfBoth"]

StoreOf = Callable[[SessionKey], Awaitable[Store]]
"""Which store a session is in."""


class OwnersOfBoth:
    """Keeps `instar.ports.owners.OwnerStore`. Groups are on the disk."""

    def __init__(self, disk: Store, of: StoreOf) -> None:
        self._disk = disk
        self._of = of

    async def load(self, keys: Sequence[SessionKey]) -> Mapping[SessionKey, SessionOwnership]:
        """What is stored of each key."""
        found = dict(await self._disk.owners.load([key for key in keys if not is_incognito_key(key)]))
        for key in filter(is_incognito_key, keys):
            found |= await (await self._of(key)).owners.load([key])
        return found

    async def report_members(self, key: SessionKey, persons: Sequence[str], *, now: Instant) -> None:
        """The list of members that a channel reports."""
        await self._disk.owners.report_members(key, persons, now=now)

    async def list_members(self) -> Sequence[tuple[SessionKey, str]]:
        """Who is in any group."""
        return await self._disk.owners.list_members()

    async def forget_members(self, members: Sequence[tuple[SessionKey, str]]) -> None:
        """These are in those groups no more."""
        await self._disk.owners.forget_members(members)


class StatesOfBoth:
    """Keeps `instar.ports.states.StateStore`. Each session's log is where the session is."""

    def __init__(self, disk: Store, of: StoreOf) -> None:
        self._disk = disk
        self._of = of

    async def _states(self, key: SessionKey) -> StateStore:
        return (await self._of(key)).states

    async def changes(self, key: SessionKey, *, since: int) -> ChangesSince:
        """What happened in a session after a version."""
        return await (await self._states(key)).changes(key, since=since)

    async def versions(self, keys: Sequence[SessionKey]) -> Mapping[SessionKey, int]:
        """The versions of sessions."""
        found = dict(await self._disk.states.versions([key for key in keys if not is_incognito_key(key)]))
        for key in filter(is_incognito_key, keys):
            found |= await (await self._states(key)).versions([key])
        return found

    async def watch(self, watcher: SessionKey, target: SessionKey) -> None:
        """Let a session watch another."""
        await (await self._states(target)).watch(watcher, target)

    async def is_watching(self, watcher: SessionKey, target: SessionKey) -> bool:
        """Whether a session watches another."""
        return await (await self._states(target)).is_watching(watcher, target)

    async def prune(self, now: Instant) -> int:
        """Forget some of the events that are too old or too many."""
        return await self._disk.states.prune(now)
