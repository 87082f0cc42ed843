"""What the gateway's owner is told of it as a whole, unasked: who is connected, and how it is (RPC-38).

`presence` is told when somebody comes or goes, at most so often; `health` each minute, and sooner when something of it
has changed. Both carry the versions that a client compares with its snapshot. Nobody listens, nothing is looked up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog

from instar.api.connection import Connection
from instar.api.health import build_health
from instar.api.hub import Hub
from instar.api.port import GatewayPort
from instar.api.presence import build_presence
from instar.api.settings import Limits
from instar.api.streams import Outgoing
from instar.core.policy.ownership import decide_hearing
from instar.errors import InstarError
from instar.ports.clock import Clock

__all__ = ["Beacons"]

_PASSING: Final = frozenset({"ts", "durationMs", "sessions"})
"""What differs each time that somebody looks, and is no news."""

RECENT: Final = 5

log = structlog.get_logger(__name__)


class Beacons:
    """The beacons of one server; `run` lights them until cancelled."""

    def __init__(self, hub: Hub, gateway: GatewayPort, clock: Clock, limits: Limits) -> None:
        self._hub = hub
        self._gateway = gateway
        self._clock = clock
        self._limits = limits
        self._health_version = 0
        self._told: Mapping[str, object] | None = None
        self._told_at = 0.0

    def snapshot(self, connection: Connection) -> dict[str, object]:
        """What `hello-ok` tells a client that is about to be added: to a person nothing of all this."""
        if decide_hearing(connection.caller, "presence", None) != "yes" or not connection.may_read:
            return {"presence": [], "stateVersion": {"presence": 0, "health": 0}}
        connection.presence_known = self._hub.crowd_version + (not connection.client.is_passing)
        present = [one.present for one in (*self._hub.connections, connection)]
        return {
            "presence": build_presence(self._gateway.facts(), present),
            "stateVersion": {"presence": connection.presence_known, "health": self._health_version},
        }

    async def run(self) -> None:
        """Tell of both, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell_presence())
            group.create_task(self._watch_health())

    async def _tell_presence(self) -> None:
        while True:
            await self._hub.crowd_changed.wait()
            self._hub.crowd_changed.clear()
            present = [one.present for one in self._hub.connections]
            payload = {"presence": build_presence(self._gateway.facts(), present)}
            self._tell("presence", payload)
            # A crowd that comes together after a restart is told of in a few lists, not in one for each.
            await self._clock.sleep(self._limits.presence_interval_s)

    async def _watch_health(self) -> None:
        while True:
            await self._clock.sleep(self._limits.tick_interval_s)
            if not any(self._hears("health", connection) for connection in self._hub.connections):
                self._told = None
                continue
            payload = await self._load_health()
            news = {name: value for name, value in payload.items() if name not in _PASSING}
            now = self._clock.monotonic()
            if news != self._told or now - self._told_at >= self._limits.health_interval_s:
                self._told, self._told_at = news, now
                self._health_version += 1
                self._tell("health", payload)

    async def _load_health(self) -> dict[str, object]:
        began = self._clock.monotonic()
        try:
            status = await self._gateway.status(recent=RECENT)
        except InstarError as error:
            log.warning("health_not_known", error=str(error))
            return {"ok": False, "ts": self._clock.now(), "error": error.outside}
        took_ms = int((self._clock.monotonic() - began) * 1000)
        return build_health(self._gateway.facts(), status, now=self._clock.now(), took_ms=took_ms)

    def _hears(self, event: str, connection: Connection) -> bool:
        return connection.may_read and decide_hearing(connection.caller, event, None) == "yes"

    def _tell(self, event: str, payload: Mapping[str, object]) -> None:
        version = {"presence": self._hub.crowd_version, "health": self._health_version}
        self._hub.tell((Outgoing(event=event, payload=payload, audience="readers", state_version=version),))
