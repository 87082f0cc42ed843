"""One request on its way to its handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from instar.api.connection import Connection
from instar.api.port import GatewayPort
from instar.api.signin import SignIns
from instar.core.model.caller import Caller
from instar.core.model.ids import AgentId, SessionKey
from instar.core.policy.redaction import Redactor
from instar.ports.clock import Clock
from instar.ports.ids import IdSource
from instar.ports.operator import Auditor, ConfigKeeper, LogReader, NoAuditor, NoConfig, NoLog
from instar.protocol.params import Params

__all__ = ["Call", "Handler", "Services"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What handlers work with, the same for every request of a server.

    `config`, `logs` and `auditor` are what an operator may look at beside sessions; `redactor` takes secrets out of
    what clients are told when something goes wrong.
    """

    gateway: GatewayPort
    clock: Clock
    ids: IdSource
    config: ConfigKeeper = field(default_factory=NoConfig)
    logs: LogReader = field(default_factory=NoLog)
    auditor: Auditor = field(default_factory=NoAuditor)
    redactor: Redactor = field(default_factory=Redactor)
    signins: SignIns | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A checked request: who asks, on which connection, with which params."""

    services: Services
    connection: Connection
    params: Params

    @property
    def gateway(self) -> GatewayPort:
        """The gateway."""
        return self.services.gateway

    @property
    def caller(self) -> Caller:
        """Who asks."""
        return self.connection.caller

    def key(self, name: str, *, agent_id: str | None = None) -> SessionKey:
        """The session key in a field, made canonical. Raises `InvalidRequest` for a text that can be no key."""
        agent = AgentId(agent_id) if agent_id else None
        return self.gateway.sessions.canonical_key(self.params.text(name), agent_id=agent)

    def maybe_key(self, name: str) -> SessionKey | None:
        """As `key`, None when the field was not given."""
        return self.key(name) if self.params.text(name) else None


Handler = Callable[[Call], Awaitable[object]]
"""Answers one method with plain values; raises `InstarError`."""
