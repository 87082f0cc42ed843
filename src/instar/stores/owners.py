"""Whose sessions are, and who is in which group (LEAK-4).

Invariant kept here: a group's people are those who wrote in it, or, where its channel reports a list, those on the list
and whoever wrote since. The rows are of the place and outlive every session in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from instar.core.model.ids import Instant, SessionKey
from instar.core.policy.ownership import SessionOwnership
from instar.stores.rows import format_json
from instar.stores.transaction import SHORT_ROWS, Engine, Params, Transaction

__all__ = ["OwnerRows", "add_member"]


class OwnerRows:
    """Keeps `instar.ports.owners.OwnerStore`, which tells what each method means."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def load(self, keys: Sequence[SessionKey]) -> Mapping[SessionKey, SessionOwnership]:
        """What is stored of each key."""
        return await self._engine.read(
            lambda tx: {key: _load(tx, key) for key in keys}, is_short=len(keys) <= SHORT_ROWS
        )

    async def report_members(self, key: SessionKey, persons: Sequence[str], *, now: Instant) -> None:
        """The list of members that a channel reports."""
        await self._engine.write(lambda tx: _report(tx, key, persons, now=now))

    async def list_members(self) -> Sequence[tuple[SessionKey, str]]:
        """Who is in any group."""
        return await self._engine.read(lambda tx: [(key, person) for key, person in tx.all("list_all_members", {})])

    async def forget_members(self, members: Sequence[tuple[SessionKey, str]]) -> None:
        """These are in those groups no more."""
        rows: list[Params] = [{"session_key": key, "person": person} for key, person in members]
        await self._engine.write(lambda tx: tx.run_many("forget_member", rows))


def add_member(tx: Transaction, key: SessionKey, person: str, *, now: Instant) -> None:
    """Somebody has written in a group; whoever is known to be in it stays as they are."""
    tx.run("add_member", {"person": person, "session_key": key, "source": "wrote", "at": now})


def _load(tx: Transaction, key: SessionKey) -> SessionOwnership:
    row = tx.one("load_owner", {"key": key})
    members = frozenset(one[0] for one in tx.all("list_members", {"session_key": key}))
    return SessionOwnership(owner=None if row is None else row[0], members=members)


def _report(tx: Transaction, key: SessionKey, persons: Sequence[str], *, now: Instant) -> None:
    tx.run("drop_unlisted_members", {"session_key": key, "persons": format_json(list(persons))})
    rows: list[Params] = [{"person": person, "session_key": key, "source": "listed", "at": now} for person in persons]
    tx.run_many("add_member", rows)
