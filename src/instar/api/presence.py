"""Who is connected, as the gateway's owner is told (RPC-38).

What belongs here: what a client says of itself, and the list of clients that it makes. What does not: when it is told
(`instar.api.beacons`). Of persons' clients only the owner hears: the list tells who uses this gateway, and when.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from instar.core.model.caller import Caller
from instar.core.model.ids import Instant
from instar.core.model.view import GatewayFacts
from instar.protocol.params import Params

__all__ = ["ENTRIES_MAX", "ClientSelf", "Present", "build_presence", "read_client"]

ENTRIES_MAX: Final = 200
"""The newest clients that are told of, beside the gateway itself."""

_PASSING: Final = frozenset({"cli", "probe"})
"""Modes of clients that ask one thing and go: to tell of each would be noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSelf:
    """What a client said of itself at `connect` (GW-5); empty where it said nothing. None of it is proved."""

    id: str = "unknown"
    version: str = ""
    platform: str = ""
    mode: str = ""
    display_name: str = ""
    device_family: str = ""
    model_identifier: str = ""
    instance_id: str = ""

    @property
    def is_passing(self) -> bool:
        """Whether it comes for one question, as a command does, and is not told of."""
        return self.mode in _PASSING


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """A client that is connected since a moment. `connection_id` stands for its instance where it named none."""

    connection_id: str
    caller: Caller
    client: ClientSelf
    since: Instant


def read_client(params: Params) -> ClientSelf:
    """What the `client` of a `connect` says."""
    return ClientSelf(
        id=params.text("id", "unknown"),
        version=params.text("version"),
        platform=params.text("platform"),
        mode=params.text("mode"),
        display_name=params.text("displayName"),
        device_family=params.text("deviceFamily"),
        model_identifier=params.text("modelIdentifier"),
        instance_id=params.text("instanceId"),
    )


def build_presence(facts: GatewayFacts, present: Iterable[Present]) -> list[dict[str, object]]:
    """The gateway itself, then its clients, who came last first; of one instance only its newest connection."""
    entries: dict[str, dict[str, object]] = {}
    for one in sorted(present, key=lambda one: (one.since, one.connection_id), reverse=True):
        if not one.client.is_passing and len(entries) < ENTRIES_MAX:
            entries.setdefault(one.client.instance_id or one.connection_id, _build_entry(one))
    return [_build_self(facts), *entries.values()]


def _build_self(facts: GatewayFacts) -> dict[str, object]:
    return {
        "host": "gateway",
        "version": facts.version,
        "mode": "gateway",
        "reason": "self",
        "text": f"Gateway: instar {facts.version}",
        "ts": facts.started_at,
        "onlineSince": facts.started_at,
    }


def _build_entry(one: Present) -> dict[str, object]:
    client, caller = one.client, one.caller
    name = client.display_name or client.id
    said = {
        "host": name,
        "version": client.version,
        "platform": client.platform,
        "deviceFamily": client.device_family,
        "modelIdentifier": client.model_identifier,
        "mode": client.mode,
        "instanceId": client.instance_id or one.connection_id,
    }
    words = " · ".join(part for part in (client.version, client.platform, f"mode {client.mode}") if part)
    return {
        **{field: value for field, value in said.items() if value},
        "reason": "connect",
        "text": f"{name}: {words}",
        "roles": [caller.role],
        "scopes": sorted(caller.scopes),
        **({} if caller.principal is None else {"user": {"id": caller.principal}}),
        "ts": one.since,
        "onlineSince": one.since,
    }
