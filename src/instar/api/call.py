"""One request on its way to its handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from instar.api.connection import Connection
from instar.api.gate import EVERYTHING, Sight
from instar.api.port import GatewayPort
from instar.api.signin import SignIns
from instar.core.model.caller import Caller
from instar.core.model.ids import AgentId, SessionKey
from instar.core.policy.ownership import owns
from instar.core.policy.redaction import Redactor
from instar.core.policy.scopes import ADMIN
from instar.core.routing.normalize import normalize_agent_id
from instar.errors import Forbidden, NotFound
from instar.ports.clock import Clock
from instar.ports.ids import IdSource
from instar.ports.operator import Auditor, ConfigKeeper, LogReader, NoAuditor, NoConfig, NoLog
from instar.protocol.params import Params

__all__ = ["Call", "Handler", "Services"]

_CHANNEL_FIELDS: Final = ("channel", "originatingChannel")
"""Fields by which `agent` and `chat.send` name a channel beside a session."""


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
    """A checked request: who asks, on which connection, with which params, and what of it they may touch."""

    services: Services
    connection: Connection
    params: Params
    sight: Sight = EVERYTHING

    @property
    def gateway(self) -> GatewayPort:
        """The gateway."""
        return self.services.gateway

    @property
    def caller(self) -> Caller:
        """Who asks."""
        return self.connection.caller

    @property
    def owner_in(self) -> tuple[str, ...] | None:
        """What queries are restricted to (LEAK-6): the names of the caller's principal; None for no restriction."""
        names = self.gateway.owners.names(self.caller)
        return None if names is None else tuple(sorted(names))

    def key(self, name: str, *, agent_id: str | None = None) -> SessionKey:
        """The session key in a field, made canonical. Raises `InvalidRequest` for a text that can be no key, and
        `NotFound` where the caller may not touch what it means, whether it is there or not (LEAK-4).
        """
        return self.named(self.params.text(name), agent_id=agent_id)

    def named(self, text: str, *, agent_id: str | None = None) -> SessionKey:
        """As `key`, for a text that stands elsewhere.

        The refusal repeats what was written, not the key that it means: that would tell whose a linked or hidden id is.
        """
        key = self.resolve(text, agent_id=agent_id)
        if not self.sight.sees(key):
            raise NotFound(f"There is no session {text.strip()}", fix="List the sessions with `instar sessions list`.")
        return key

    def resolve(self, text: str, *, agent_id: str | None = None) -> SessionKey:
        """The key that a text means to the caller, unchecked: ``main`` is a person's own session (LEAK-4), and a bare
        ``group:<id>`` is of the channel that the request names (KEY-14).
        """
        agent = AgentId(agent_id) if agent_id else None
        word = text.strip().lower()
        if not owns(self.caller) and word in {"main", self.gateway.facts().main_key}:
            return self.gateway.owners.home(self.caller, agent)
        hint = next((said for name in _CHANNEL_FIELDS if (said := self.params.text(name))), None)
        return self.gateway.sessions.canonical_key(text, agent_id=agent, channel=hint)

    def agent(self, name: str = "agentId") -> AgentId | None:
        """The agent that a field names, as keys write it (NORM-1); None where it names none."""
        text = self.params.text(name).strip()
        return normalize_agent_id(text) if text else None

    def may_command(self, key: SessionKey) -> bool:
        """Whether the caller may give commands in a session that the request names and that they may touch (CMD-4)."""
        touch = self.sight.touches.get(key)
        if self.sight.sees_all or touch is None:
            return self.sight.sees_all
        return self.gateway.owners.may_command(self.caller, key, touch)

    def check_may_set(self, key: SessionKey, *names: str) -> None:
        """Raises `Forbidden` when one of the fields is given by somebody who may only write in a session (CMD-4): what
        a guest of a group cannot say by a command they cannot say by a field.
        """
        given = next((name for name in names if self.params.text(name)), None)
        if given is not None:
            self.check_may_command(key, given)

    async def looked_up(self, key: SessionKey) -> Call:
        """The call with what its caller may touch of a session that was found otherwise than by a field."""
        if self.sight.covers(key):
            return self
        found = await self.gateway.owners.touches((self.caller,), (key,))
        return replace(self, sight=replace(self.sight, touches={**self.sight.touches, key: found[key][0]}))

    def check_may_command(self, key: SessionKey, what: str) -> None:
        """Raises `Forbidden` when `what` is asked for by somebody who may only write in a session (CMD-4)."""
        if not self.may_command(key):
            why = f"{what} is for those who may give commands in this group"
            raise Forbidden(f"missing scope: {ADMIN}", why=why, missing_scope=ADMIN)

    async def see(self, keys: Iterable[SessionKey]) -> tuple[SessionKey, ...]:
        """Those of the keys that the caller may touch, in order: for what was found otherwise than by a field."""
        wanted = tuple(keys)
        asked = tuple(key for key in wanted if not self.sight.covers(key))
        found = await self.gateway.owners.touches((self.caller,), asked) if asked else {}
        return tuple(key for key in wanted if key not in found or found[key][0].allowed)

    def maybe_key(self, name: str) -> SessionKey | None:
        """As `key`, None when the field was not given."""
        return self.key(name) if self.params.text(name) else None


Handler = Callable[[Call], Awaitable[object]]
"""Answers one method with plain values; raises `InstarError`."""
