"""Events on their way to people: held until it is known whose the session is (LEAK-4).

Whoever sees everything is told of an event at once. For a person's client, and about an incognito session for every
client but an admin's (KEY-22), the store is asked first, for all events that came meanwhile together, and each time
anew: who is in a group changes. Their order stays; what cannot be looked up is told to nobody.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from instar.api.connection import Connection
from instar.api.port import OwnersPort
from instar.api.streams import Outgoing
from instar.core.model.ids import SessionKey
from instar.errors import StoreError

__all__ = ["Hearing"]

HELD_MAX: Final = 10_000
"""Events that wait to be looked up; beyond that the oldest are told to nobody: their clients see a gap and reload."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    out: Outgoing
    session_key: SessionKey
    head: bytes
    listeners: Sequence[Connection]


class Hearing:
    """The events of one server that wait for an answer about their session."""

    def __init__(self, owners: OwnersPort) -> None:
        self._owners = owners
        self._held: deque[_Held] = deque(maxlen=HELD_MAX)
        self._filled = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def hold(self, out: Outgoing, head: bytes, listeners: Sequence[Connection]) -> None:
        """Tell an encoded event about a session to those of these clients who may see it, soon."""
        if out.session_key is None:
            return
        self._held.append(_Held(out=out, session_key=out.session_key, head=head, listeners=listeners))
        self._idle.clear()
        self._filled.set()

    async def run(self) -> None:
        """Look up and tell, until cancelled."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._held:
                batch = list(self._held)
                self._held.clear()
                try:
                    await self._tell(batch)
                except StoreError as error:
                    log.warning("events_not_told", events=len(batch), error=str(error))
            self._idle.set()

    async def drained(self) -> None:
        """Return when nothing waits."""
        await self._idle.wait()

    async def _tell(self, batch: Sequence[_Held]) -> None:
        connections = list({connection for held in batch for connection in held.listeners})
        places = {connection: at for at, connection in enumerate(connections)}
        keys = list({held.session_key for held in batch})
        touches = await self._owners.touches([connection.caller for connection in connections], keys)
        for held in batch:
            for connection in held.listeners:
                if connection.is_dismissed:
                    continue
                if touches[held.session_key][places[connection]].allowed or self._was_theirs(held.out, connection):
                    connection.send_event(held.head)

    def _was_theirs(self, out: Outgoing, connection: Connection) -> bool:
        """Whether the session that is gone was theirs: its row cannot be asked any more."""
        return out.owner is not None and out.owner in (self._owners.names(connection.caller) or ())
