"""Every connected client, and what all of them are told (RPC-38).

The hub listens to the gateway, turns its events into frames, and hands each frame to the connections that want it. An
event is encoded at most once for each protocol, and not at all when nobody listens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

import msgspec
import structlog

from instar.api.connection import Connection
from instar.api.device_rows import build_requested, build_resolved_device
from instar.api.hearing import Hearing
from instar.api.messages import build_message
from instar.api.pairing_rows import build_resolved, build_waiting
from instar.api.port import OwnersPort
from instar.api.rows import build_row
from instar.api.settings import Limits
from instar.api.streams import Outgoing, RunStreams
from instar.core.model.caller import Caller, has_expired
from instar.core.model.event import (
    DeviceRequested,
    DeviceResolved,
    Event,
    MessageStored,
    PairingRequested,
    PairingResolved,
    SessionChanged,
    ShuttingDown,
    TokenRevoked,
)
from instar.core.model.ids import Instant
from instar.core.policy.ownership import decide_hearing
from instar.ports.clock import Clock
from instar.protocol.frames import encode_event_head

__all__ = ["Hub"]

log = structlog.get_logger(__name__)


class Hub:
    """The connections of one server. `listen` is the subscriber for the gateway's events."""

    def __init__(self, clock: Clock, limits: Limits, owners: OwnersPort) -> None:
        self._clock = clock
        self._limits = limits
        self._connections: set[Connection] = set()
        self._streams = RunStreams(interval_s=limits.delta_interval_s)
        self._kept = asyncio.Event()
        self._revoked: set[str] = set()
        self._hearing = Hearing(owners)
        self.crowd_changed = asyncio.Event()
        self.crowd_version = 0
        """Raised whenever a client that is told of comes or goes."""
        self.is_closing = False
        self.greetings = 0
        """Sockets that have been accepted and have not connected yet; counted by the door."""

    # --- connections --------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    @property
    def connections(self) -> tuple[Connection, ...]:
        """Every client that is connected now."""
        return tuple(self._connections)

    def count_of(self, caller: Caller) -> int:
        """How many clients are connected with the same token; 0 for the gateway's own secret, which is the owner's."""
        if caller.token_id is None:
            return 0
        return sum(one.caller.token_id == caller.token_id for one in self._connections)

    def add(self, connection: Connection) -> None:
        """Tell this client from now on."""
        self._connections.add(connection)
        self._note_crowd(connection)
        if connection.caller.token_id in self._revoked:
            # Revoked between the look-up of the token and now.
            connection.dismiss("token revoked")

    def remove(self, connection: Connection) -> None:
        """Tell it no more. May be called twice."""
        if connection in self._connections:
            self._connections.remove(connection)
            self._note_crowd(connection)

    def _note_crowd(self, connection: Connection) -> None:
        if not connection.client.is_passing:
            self.crowd_version += 1
            self.crowd_changed.set()

    def is_revoked(self, token_id: str) -> bool:
        """Whether a token was taken back while this server runs."""
        return token_id in self._revoked

    # --- the gateway's events -----------------------------------------------------------------------------------------

    def listen(self, event: Event) -> None:
        """Tell the clients of an event, or keep its text until it may be told. Never waits."""
        match event:
            case SessionChanged():
                if any(connection.follows_lists for connection in self._connections):
                    self.tell(_changed(event))
            case MessageStored():
                if any(connection.follows_messages(event.session_key) for connection in self._connections):
                    self.tell(_stored(event))
            case PairingRequested():
                self.tell((Outgoing(event="pairing.requested", payload=build_waiting(event.code), audience="admins"),))
            case PairingResolved():
                self.tell((Outgoing(event="pairing.resolved", payload=build_resolved(event), audience="admins"),))
            case DeviceRequested():
                told = build_requested(event.request)
                self.tell((Outgoing(event="device.pair.requested", payload=told, audience="admins"),))
            case DeviceResolved():
                told = build_resolved_device(event)
                self.tell((Outgoing(event="device.pair.resolved", payload=told, audience="admins"),))
            case TokenRevoked():
                self._revoked.add(event.token_id)
                self._dismiss("token revoked", lambda caller: caller.token_id == event.token_id)
            case ShuttingDown():
                self.announce_shutdown(event.reason, restart_expected_ms=event.restart_expected_ms)
            case _:
                for out in self._streams.apply(event, now=self._clock.monotonic()):
                    self.tell((out,))
                if self._streams.next_due() is not None:
                    self._kept.set()

    def tell(self, outs: Iterable[Outgoing]) -> None:
        """Hand events to the connections that want them."""
        if not self._connections:
            return
        now = self._clock.now()
        for out in outs:
            listeners = [one for one in self._connections if one.hears(out) and not self._has_ended(one, now)]
            if not listeners:
                continue
            try:
                head = encode_event_head(out.event, out.payload, state_version=out.state_version)
            except (TypeError, ValueError, msgspec.MsgspecError) as error:
                # Text that is no Unicode, from a model or a platform: one event less, not one hub less.
                log.error("event_not_sent", event_name=out.event, session_key=out.session_key, error=str(error))
                continue
            asked: list[Connection] = []
            for connection in listeners:
                match decide_hearing(connection.caller, out.event, out.session_key):
                    case "yes":
                        connection.send_event(head)
                    case "ask":
                        asked.append(connection)
                    case "no":
                        continue
            if asked:
                self._hearing.hold(out, head, asked)

    def _has_ended(self, connection: Connection, now: Instant) -> bool:
        """Whether a client's token has come to its end: it is sent away instead of being told one more thing."""
        if has_expired(connection.caller, now=now):
            connection.dismiss("token expired")
        return connection.is_dismissed

    def _dismiss(self, why: str, is_meant: Callable[[Caller], bool]) -> None:
        for connection in self._connections:
            if is_meant(connection.caller):
                connection.dismiss(why)

    def announce_shutdown(self, reason: str, *, restart_expected_ms: int | None = None) -> None:
        """Tell every client that the gateway is about to stop; the second time says nothing (GW-15)."""
        if self.is_closing:
            return
        self.is_closing = True
        payload: dict[str, object] = {"reason": reason}
        if restart_expected_ms is not None:
            payload["restartExpectedMs"] = restart_expected_ms
        self.tell((Outgoing(event="shutdown", payload=payload),))

    async def flush(self) -> None:
        """Return when every client has been sent what was queued for it."""
        await self._hearing.drained()
        await asyncio.gather(*(connection.flushed() for connection in list(self._connections)))

    # --- time ---------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Tick, and tell kept text when it is due, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tick())
            group.create_task(self._tell_kept())
            group.create_task(self._hearing.run())

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep(self._limits.tick_interval_s)
            now = self._clock.now()
            self._dismiss("token expired", partial(has_expired, now=now))
            self.tell((Outgoing(event="tick", payload={"ts": now}),))

    async def _tell_kept(self) -> None:
        while True:
            await self._kept.wait()
            self._kept.clear()
            while (due := self._streams.next_due()) is not None:
                await self._clock.sleep(max(0.0, due - self._clock.monotonic()))
                self.tell(self._streams.take_due(now=self._clock.monotonic(), at=self._clock.now()))


def _changed(event: SessionChanged) -> Iterator[Outgoing]:
    """`sessions.changed`: the fields of the row, and the row once more as one value; clients read either."""
    payload: dict[str, object] = {"sessionKey": event.session_key, "agentId": event.agent_id, "reason": event.reason}
    if event.session is not None:
        row = build_row(event.session, event.active_run_ids)
        payload = {**_spread(row), **payload, "session": row}
    if event.turn_id is not None:
        payload["runId"] = event.turn_id
    if event.phase is not None:
        payload["phase"] = event.phase
    payload["ts"] = event.at
    yield Outgoing(
        event="sessions.changed", payload=payload, audience="lists", session_key=event.session_key, owner=event.owner
    )


def _spread(row: Mapping[str, object]) -> dict[str, object]:
    """The fields of a row beside the key, with what was cleared told as null."""
    cleared = {"label": None, "displayName": None}
    return cleared | {name: value for name, value in row.items() if name != "key"}


def _stored(event: MessageStored) -> Iterator[Outgoing]:
    message = build_message(event.entry, event.seq, run_id=event.turn_id)
    if message is None:
        return
    payload: dict[str, object] = {
        "sessionKey": event.session_key,
        "sessionId": event.session_id,
        "agentId": event.agent_id,
        "message": message,
        "messageId": event.entry.id,
        "messageSeq": event.seq,
    }
    if event.turn_id is not None:
        payload["runId"] = event.turn_id
    yield Outgoing(event="session.message", payload=payload, audience="messages", session_key=event.session_key)
