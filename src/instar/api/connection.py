"""One client that is connected: what it may, what it asked to hear, and what is on its way to it.

Sending never waits: frames go into a queue that one task writes to the socket. A client that does not read fast
enough is closed when the queue is full, since the other choice would be to keep its events for ever (GW-7). Events
are numbered when they enter the queue, so the numbers have no gaps (GW-12).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from instar.api.presence import ClientSelf, Present
from instar.api.streams import Outgoing
from instar.core.model.caller import Caller
from instar.core.model.ids import Instant, SessionKey
from instar.core.policy.scopes import ADMIN, READ, has_scope
from instar.protocol.frames import finish_event

__all__ = ["Connection"]

KEYS_MAX = 10_000
"""Sessions that one connection may follow by key."""

_UNSAID: Final = ClientSelf()
_LONG_AGO: Final = Instant(0)

log = structlog.get_logger(__name__)


class Connection:
    """One connected client. `write` puts one text frame on the socket; `abort` drops the socket at once."""

    def __init__(
        self,
        connection_id: str,
        *,
        caller: Caller,
        protocol: int,
        caps: frozenset[str],
        client: ClientSelf = _UNSAID,
        since: Instant = _LONG_AGO,
        buffer_max_bytes: int,
        write: Callable[[bytes], Awaitable[None]],
        abort: Callable[[], None],
    ) -> None:
        self.id = connection_id
        self.caller = caller
        self.protocol = protocol
        self.caps = caps
        self.client = client
        self.present = Present(connection_id=connection_id, caller=caller, client=client, since=since)
        self.presence_known = 0
        """The newest list of clients that this one has seen, by its version."""
        self.follows_lists = False
        self.followed_keys: set[SessionKey] = set()
        self.may_read = has_scope(caller.scopes, READ)
        self._may_administer = has_scope(caller.scopes, ADMIN)
        self._write = write
        self._abort = abort
        self._buffer_max_bytes = buffer_max_bytes
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._seq = 0
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()
        self.is_slow = False
        self._is_ending = False
        self._dismissal = asyncio.Event()
        self._why_dismissed: str | None = None

    # --- what the client hears ----------------------------------------------------------------------------------------

    def hears(self, out: Outgoing) -> bool:
        """Whether an event is for this client, in its protocol and with its capabilities."""
        if (
            self.is_dismissed
            or self.protocol not in out.protocols
            or (out.cap is not None and out.cap not in self.caps)
        ):
            return False
        if out.session_key is not None and not self.may_read:
            return False
        if out.event == "presence" and (out.state_version or {}).get("presence", 0) <= self.presence_known:
            return False
        match out.audience:
            case "all":
                return True
            case "readers":
                return self.may_read
            case "admins":
                return self._may_administer
            case "lists":
                return self.follows_lists
            case "messages":
                return out.session_key is not None and self.follows_messages(out.session_key)

    def follows_messages(self, key: SessionKey) -> bool:
        """Whether the client asked for the messages of a session, by its key or by following all."""
        return self.follows_lists or key in self.followed_keys

    def follow(self, key: SessionKey) -> bool:
        """Hear the messages of a session from now on; False when too many are followed already."""
        if len(self.followed_keys) >= KEYS_MAX and key not in self.followed_keys:
            return False
        self.followed_keys.add(key)
        return True

    # --- sending ------------------------------------------------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        """Put a frame on its way. Never waits; a client with a full queue is dropped instead."""
        if self.is_slow or self._is_ending:
            return
        if self._queued_bytes + len(frame) > self._buffer_max_bytes:
            self.is_slow = True
            log.warning("client_too_slow", connection=self.id, client=self.caller.client, queued=self._queued_bytes)
            self._queue.clear()
            self._drained.set()
            self._abort()
            return
        self._queue.append(frame)
        self._queued_bytes += len(frame)
        self._filled.set()

    def send_event(self, head: bytes) -> None:
        """Send an event that was encoded once for many (`encode_event_head`), with this connection's next number."""
        self._seq += 1
        self.send(finish_event(head, self._seq))

    async def write_all(self) -> None:
        """Write what is queued, for as long as the connection lives; ends by being cancelled or by a dead socket."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            self._drained.clear()
            while self._queue:
                frame = self._queue.popleft()
                await self._write(frame)
                # Counted until it is written: a frame that waits for the socket still takes memory.
                self._queued_bytes -= len(frame)
            self._drained.set()

    def end(self) -> None:
        """Take no more frames: the socket is about to be closed."""
        self._is_ending = True

    # --- credentials that end -----------------------------------------------------------------------------------------

    @property
    def is_dismissed(self) -> bool:
        """Whether the client's credentials have ended: it is told nothing and asks in vain from then on."""
        return self._why_dismissed is not None

    def dismiss(self, why: str) -> None:
        """Have the client closed, since its credentials have ended; the second reason counts for nothing."""
        if self._why_dismissed is None:
            self._why_dismissed = why
            self._dismissal.set()

    async def dismissed(self) -> str:
        """Return with the reason when the client has to go."""
        await self._dismissal.wait()
        return self._why_dismissed or ""

    def drop(self) -> None:
        """Drop the socket at once."""
        self._abort()

    async def flushed(self) -> None:
        """Return when everything that was queued is written, or the client was dropped."""
        while self._queued_bytes > 0 and not self.is_slow:
            self._drained.clear()
            await self._drained.wait()
