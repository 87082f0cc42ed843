"""Whose sessions are, as a store knows it (LEAK-4). Every method may raise a `StoreError`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from instar.core.model.ids import Instant, SessionKey
from instar.core.policy.ownership import SessionOwnership

__all__ = ["OwnerStore"]


class OwnerStore(Protocol):
    """Owners of sessions, members of groups."""

    async def load(self, keys: Sequence[SessionKey]) -> Mapping[SessionKey, SessionOwnership]:
        """What is stored of each key: the owner in its row, and who is in the group. Every key has an answer."""
        ...

    async def report_members(self, key: SessionKey, persons: Sequence[str], *, now: Instant) -> None:
        """The list of members that a channel reports, as ``<channel>:<peer>``: nobody else is in it any more."""
        ...

    async def list_members(self) -> Sequence[tuple[SessionKey, str]]:
        """Who is in any group: its key and the person, in their order."""
        ...

    async def forget_members(self, members: Sequence[tuple[SessionKey, str]]) -> None:
        """These, each a group's key and a person, are in it no more; whoever is not in it stays so."""
        ...
