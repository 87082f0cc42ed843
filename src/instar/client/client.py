"""The Python client: every method of the wire as a typed one, over one lasting connection.

::

    async with GatewayClient.of_this_machine() as gateway:
        async for update in gateway.chat_send("main", "hello"):
            print(update.delta, end="")

Payloads come as JSON objects; `docs/reference/protocol.md` says what is in them. Errors are those of
`instar.errors`; `GatewayUnreachable` says how to start a gateway.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

from instar.client.discovery import GatewayAddress, Named, find_addresses
from instar.client.events import EventStream, Gap, Lost, Restored, ServerEvent
from instar.client.link import Link
from instar.client.talk import ChatUpdate, build_late_end, read_update
from instar.client.wire import Payload
from instar.errors import GatewayUnreachable, Unavailable
from instar.ports.clock import Clock
from instar.ports.ids import IdSource
from instar.system.clock import SystemClock
from instar.system.ids import SystemIds

__all__ = ["GatewayClient"]

ATTEMPTS: Final = 5
"""How often a message is sent to a gateway that says "not now"."""


class GatewayClient:
    """A client of one gateway; enter it to connect.

    `find` gives the places to look at, asked again at each reconnect. `caps` are capabilities of the protocol, such
    as ``tool-events``. `timeout_s` bounds each request.
    """

    def __init__(
        self,
        find: Callable[[], tuple[GatewayAddress, ...]],
        *,
        client_id: str = "instar-python",
        mode: str = "backend",
        caps: tuple[str, ...] = ("tool-events",),
        timeout_s: float = 10.0,
        reconnects: bool = True,
        clock: Clock | None = None,
        ids: IdSource | None = None,
    ) -> None:
        self._ids = ids or SystemIds()
        self._clock = clock or SystemClock()
        self._timeout_s = timeout_s
        self._link = Link(
            find,
            clock=self._clock,
            client_id=client_id,
            mode=mode,
            caps=caps,
            timeout_s=timeout_s,
            reconnects=reconnects,
        )

    @classmethod
    def of_this_machine(
        cls, *, url: str | None = None, token: str | None = None, config: Path | None = None, timeout_s: float = 10.0
    ) -> GatewayClient:
        """A client of the gateway that is named, else configured, else running here (`discovery`)."""
        named = Named(url=url, token=token, config=config)
        return cls(lambda: find_addresses(named, env=os.environ, home=Path.home()), timeout_s=timeout_s)

    async def __aenter__(self) -> Self:
        """Connect. Raises `GatewayUnreachable`, `Forbidden` (a wrong secret), `Unavailable` (it is no gateway)."""
        await self._link.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self._link.__aexit__(kind, error, trace)

    @property
    def is_up(self) -> bool:
        """Whether there is a connection now."""
        return self._link.is_up

    @property
    def hello(self) -> Payload:
        """The greeting of the gateway that answers now (GW-6)."""
        return self._link.hello

    @property
    def main_session_key(self) -> str:
        """The key of the default agent's main session."""
        defaults = self.hello.get("snapshot", {}).get("sessionDefaults", {})
        return str(defaults.get("mainSessionKey", "main"))

    def events(self) -> EventStream:
        """What happens from now on: events, gaps, and the fate of the connection."""
        return self._link.events()

    async def call(
        self, method: str, params: Mapping[str, object] | None = None, *, timeout_s: float | None = None
    ) -> Payload:
        """The payload of any method. Raises `GatewayUnreachable` and what the gateway answers."""
        return await self._link.call(method, params, timeout_s=timeout_s)

    # --- the gateway --------------------------------------------------------------------------------------------------

    async def status(self) -> Payload:
        """What the gateway is and does."""
        return await self.call("status")

    async def health(self) -> Payload:
        """Whether it works."""
        return await self.call("health")

    async def explain(
        self,
        *,
        key: str | None = None,
        inbound_id: str | None = None,
        turn_id: str | None = None,
        limit: int | None = None,
    ) -> Sequence[Payload]:
        """Why things went as they did, newest first (WHY-2): of a session, a message or a turn."""
        given = _given(key=key, inboundId=inbound_id, turnId=turn_id, limit=limit)
        rows: Sequence[Payload] = (await self.call("sessions.explain", given)).get("rows", [])
        return rows

    # --- sessions -----------------------------------------------------------------------------------------------------

    async def sessions_list(
        self,
        *,
        limit: int | None = None,
        offset: int | None = None,
        active_minutes: int | None = None,
        agent_id: str | None = None,
        search: str | None = None,
        titles: bool = False,
    ) -> Payload:
        """One page of sessions (RPC-1)."""
        given = _given(limit=limit, offset=offset, activeMinutes=active_minutes, agentId=agent_id, search=search)
        return await self.call("sessions.list", {**given, "includeDerivedTitles": titles})

    async def sessions_describe(self, key: str) -> Payload | None:
        """One session with its whole entry; None when there is none."""
        found: Payload | None = (await self.call("sessions.describe", {"key": key})).get("session")
        return found

    async def sessions_create(
        self, *, key: str | None = None, agent_id: str | None = None, label: str | None = None, model: str | None = None
    ) -> Payload:
        """A new session (RPC-5)."""
        return await self._change("sessions.create", _given(key=key, agentId=agent_id, label=label, model=model))

    async def sessions_patch(self, key: str, fields: Mapping[str, object]) -> Payload:
        """Change settings of a session; None removes one (PATCH-*)."""
        return await self._change("sessions.patch", {"key": key, **fields})

    async def sessions_reset(self, key: str, *, reason: Literal["reset", "new"] = "reset") -> Payload:
        """Close the transcript and begin another (RPC-7)."""
        return await self._change("sessions.reset", {"key": key, "reason": reason})

    async def sessions_delete(self, key: str, *, delete_transcript: bool = True) -> Payload:
        """Remove a session; its transcript is archived (RPC-8)."""
        return await self._change("sessions.delete", {"key": key, "deleteTranscript": delete_transcript})

    async def sessions_export(self, key: str, *, format: str = "json") -> Payload:  # noqa: A002 - the wire's word
        """A session as a file (RPC-11)."""
        return await self.call("sessions.export", {"key": key, "format": format})

    async def subscribe(self, key: str | None = None) -> None:
        """Hear `session.message` of one session, or that and `sessions.changed` of all; also after a reconnect."""
        if key is None:
            await self._link.keep("sessions.subscribe", {})
        else:
            await self._link.keep("sessions.messages.subscribe", {"key": key})

    # --- conversations ------------------------------------------------------------------------------------------------

    async def chat_history(self, key: str, *, limit: int = 200) -> Payload:
        """The newest messages, oldest of them first (RPC-15)."""
        return await self.call("chat.history", {"sessionKey": key, "limit": limit})

    async def chat_abort(self, key: str, *, run_id: str | None = None) -> Payload:
        """Stop the running turn (RPC-17)."""
        return await self.call("chat.abort", {"sessionKey": key, **_given(runId=run_id)})

    async def chat_inject(self, key: str, message: str, *, label: str | None = None) -> Payload:
        """Add a line that no model wrote (RPC-18)."""
        return await self._change("chat.inject", {"sessionKey": key, "message": message, **_given(label=label)})

    async def agent_wait(self, run_id: str, *, timeout_s: float = 30.0) -> Payload:
        """How far a run is, when it has ended or that time is over (RPC-19)."""
        params = {"runId": run_id, "timeoutMs": int(timeout_s * 1000)}
        return await self.call("agent.wait", params, timeout_s=timeout_s + self._timeout_s)

    async def chat_send(
        self,
        key: str,
        message: str,
        *,
        run_id: str | None = None,
        thinking: str | None = None,
        deliver: bool = False,
        timeout_ms: int | None = None,
    ) -> AsyncGenerator[ChatUpdate, None]:
        """Send a message and give the pieces of its answer up to its end (RPC-16, RPC-36).

        `run_id` names the message: sent again with the same one it is the same message, whatever happened in between.
        A lost connection is waited for; what was missed is read from the history.
        """
        name = run_id or self._ids.turn_id()
        given = _given(thinking=thinking, timeoutMs=timeout_ms)
        params = {"sessionKey": key, "message": message, "idempotencyKey": name, "deliver": deliver, **given}
        with self.events() as events:
            late = await self._send(params)
            if late is not None:
                yield late
                return
            async for event in events:
                match event:
                    case ServerEvent():
                        update = read_update(event.name, event.payload, run_id=name)
                        if update is not None:
                            yield update
                            if update.is_end:
                                return
                    case Lost(is_last=True):
                        raise GatewayUnreachable("The connection to the gateway broke", why=event.reason)
                    case Lost():
                        yield ChatUpdate(kind="waiting", run_id=name, error=event.reason)
                    case Restored() | Gap():
                        late = await self._send(params)
                        if late is not None:
                            yield late
                            return

    async def _send(self, params: Mapping[str, object]) -> ChatUpdate | None:
        """Commit a message; its end when it has ended already, None while it is to come.

        None also when the connection broke before the gateway said that it has the message: it is sent again as soon
        as the connection is restored, which the events tell. A gateway that says "not now" (it stops, a queue is
        full) is asked again a few times.
        """
        for attempt in range(ATTEMPTS):
            try:
                answer = await self.call("chat.send", params)
                if answer.get("status") in {"started", "in_flight"}:
                    return None
                return await self._late_end(params)
            except Unavailable as error:
                if not self._link.is_up:
                    return None
                if attempt == ATTEMPTS - 1 or (error.retry_after_ms is None and type(error) is Unavailable):
                    raise
                await self._clock.sleep((error.retry_after_ms or 0) / 1000)
        return None

    async def _late_end(self, params: Mapping[str, object]) -> ChatUpdate:
        run_id = str(params["idempotencyKey"])
        state = await self.agent_wait(run_id, timeout_s=0)
        history = await self.chat_history(str(params["sessionKey"]), limit=50)
        return build_late_end(run_id, state, history.get("messages", []), sent=str(params["message"]))

    async def _change(self, method: str, params: Mapping[str, object]) -> Payload:
        """A call that changes something, safe to be carried out once (GW-13)."""
        return await self.call(method, {**params, "idempotencyKey": self._ids.turn_id()})


def _given(**params: object) -> dict[str, object]:
    """The params that were given."""
    return {name: value for name, value in params.items() if value is not None}
