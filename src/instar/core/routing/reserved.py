"""What holds for keys of sessions that live in memory only (KEY-22).

What belongs here: which keys these are made of, and what is refused at the doors where a client names one. What does
not: the grammar of keys, which is `grammar`'s, and where the rows lie (`instar.stores.incognito`).

The invariant: such a session begins by being asked for and in no other way. Its key is drawn and says nothing, and one
of a former life of the gateway opens none.
"""

from __future__ import annotations

from instar.core.model.ids import AgentId, SessionId, SessionKey
from instar.core.model.session import Session
from instar.core.routing.grammar import INCOGNITO_PREFIX, is_incognito_key
from instar.core.routing.key import build_source_key
from instar.errors import InvalidRequest

__all__ = ["build_incognito_key", "check_begun", "check_parent", "check_storable", "hide_incognito_id"]


def build_incognito_key(agent_id: AgentId, drawn: SessionId) -> SessionKey:
    """The key of a new session in memory, ``agent:<id>:dashboard:incognito-<uuid>``."""
    return build_source_key(agent_id, "dashboard", f"{INCOGNITO_PREFIX}{drawn}")


def hide_incognito_id(key: SessionKey) -> SessionKey:
    """The key without what tells it from other sessions in memory, as the ledger on the disk names it (COST-1)."""
    return SessionKey(key[: key.rindex(INCOGNITO_PREFIX) + len(INCOGNITO_PREFIX)])


def check_begun(key: SessionKey, session: Session | None, *, field: str = "key") -> None:
    """Raises `InvalidRequest` for a key of memory under which nothing has begun in this life of the gateway.

    `session` is the one of the key, `field` where the client named it.
    """
    if session is None and is_incognito_key(key):
        raise InvalidRequest(
            f"There is no incognito session {key}",
            why="such a session lives in the gateway's memory alone, and ends with it or when it is deleted",
            fix="Begin a new one: `sessions.create` with `incognito: true`, or `instar chat --incognito`.",
            field=field,
        )


def check_storable(key: SessionKey) -> None:
    """Raises `InvalidRequest` for a key of memory under which words would come out of a file (STORE-6, LOSS-8)."""
    if is_incognito_key(key):
        raise InvalidRequest(
            f"Nothing is brought into an incognito session ({key})",
            why="what such a session holds is in the gateway's memory alone, and this lies in a file",
            fix="Name another session, or none.",
            field="key",
        )


def check_parent(key: SessionKey, parent: SessionKey | None) -> None:
    """Raises `InvalidRequest` where a stored session would come out of one in memory, with its words or its key."""
    if parent is not None and is_incognito_key(parent) and not is_incognito_key(key):
        raise InvalidRequest(
            f"{parent} can have no session below it that is stored",
            why="it is incognito, and nothing of it is written to the disk",
            fix="Begin the other one with `incognito: true`, or without a parent.",
            field="parentSessionKey",
        )
