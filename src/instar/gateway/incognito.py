"""What a gateway asks about sessions that live in its memory alone (KEY-22).

What belongs here: whether one may begin, and that a person who is erased takes theirs along. What does not: where their
rows lie, which the store decides by the key (`instar.stores.incognito`), and the refusals themselves
(`instar.core.routing.reserved`).
"""

from __future__ import annotations

from typing import Final

from instar.core.model.ids import SessionKey
from instar.core.model.query import SessionQuery
from instar.core.routing.grammar import is_incognito_key
from instar.core.routing.person import PersonTest
from instar.core.routing.reserved import check_begun
from instar.errors import Unavailable
from instar.ports.store import Store

__all__ = ["INCOGNITO_MAX", "Beginnings", "find_incognito_of", "require_begun", "require_room"]

INCOGNITO_MAX: Final = 100
"""The most incognito sessions at once: nothing takes them out of memory but a deletion and the gateway's end."""

_MESSAGES_MAX: Final = 10_000
"""Among how many of a session's newest messages those of a person are looked for."""


class Beginnings:
    """With which credentials each incognito session began; in memory as these are, and gone with them."""

    def __init__(self) -> None:
        self._by_key: dict[SessionKey, str] = {}

    def note(self, key: SessionKey, credentials: str | None) -> None:
        """A session has begun and is stored; None for one that no client began."""
        if credentials is not None:
            self._by_key[key] = credentials

    def find(self, key: SessionKey) -> str | None:
        """The credentials that began a session, as `Caller.credentials` names them; None where nobody knows."""
        return self._by_key.get(key)

    async def forget_ended(self, store: Store) -> None:
        """Forget the sessions that are gone, so that no more are known than may be there and the last that ended.

        What is noted while the store is asked stays.
        """
        known = tuple(self._by_key)
        there = {key for key, _ in await _list_all(store)}
        for key in known:
            if key not in there:
                self._by_key.pop(key, None)


async def require_begun(store: Store, key: SessionKey, *, field: str = "key") -> None:
    """Raises `InvalidRequest` for a key of memory that has no session in this life of the gateway."""
    if is_incognito_key(key):
        check_begun(key, await store.load_session(key), field=field)


async def require_room(store: Store) -> None:
    """Raises `Unavailable` where as many incognito sessions are there as may be."""
    if len(await _list_all(store)) >= INCOGNITO_MAX:
        raise Unavailable(
            f"There are {INCOGNITO_MAX} incognito sessions",
            why="they live in memory, and nothing takes them out of it by itself",
            fix="Delete one that is done: `instar sessions delete KEY`.",
        )


async def find_incognito_of(store: Store, test: PersonTest) -> frozenset[SessionKey]:
    """The incognito sessions that are a person's, or in which they wrote."""
    found = set()
    for key, owner in await _list_all(store):
        items = await store.load_inbox(session_key=key, limit=_MESSAGES_MAX)
        if test.owns(key, owner) or any(test.wrote(item.submission) for item in items):
            found.add(key)
    return frozenset(found)


async def _list_all(store: Store) -> list[tuple[SessionKey, str | None]]:
    """Key and owner of every incognito session: they stand in front of the list."""
    query = SessionQuery(archived=None, include_global=True, include_unknown=True, limit=INCOGNITO_MAX, incognito=True)
    page = await store.list_sessions(query)
    return [(session.key, session.owner) for session in page.sessions if is_incognito_key(session.key)]
