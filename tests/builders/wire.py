"""A client that speaks frames and hides nothing, and a server over a fake gateway: for tests of the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from instar.api.server import ApiServer
from instar.api.settings import ApiSettings, AuthSettings, Limits
from instar.ports.clock import Clock
from instar.system.clock import SystemClock
from instar.system.ids import SystemIds
from tests.builders.fake_gateway import FakeGateway

__all__ = ["TOKEN", "Client", "build_connect", "open_client", "open_server", "run_story"]

TOKEN = "a-token-for-tests-that-opens-nothing-else"
WAIT_S = 30.0
"""A frame comes within milliseconds; on a machine that is busy with others it takes as long as they please."""


def build_connect(**changes: Any) -> dict[str, Any]:
    """Params of a good `connect`, with changes; a change to None leaves the field out."""
    params: dict[str, Any] = {
        "minProtocol": 4,
        "maxProtocol": 4,
        "client": {"id": "gateway-client", "version": "1.0", "platform": "linux", "mode": "backend"},
        "auth": {"token": TOKEN},
    }
    return {name: value for name, value in {**params, **changes}.items() if value is not None}


class Client:
    """One connection. Frames that nobody waits for are kept in `events`, in order."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.events: list[dict[str, Any]] = []
        self.hello: dict[str, Any] = {}
        self._ids = count(1)

    async def receive(self) -> dict[str, Any]:
        """The next frame."""
        async with asyncio.timeout(WAIT_S):
            frame: dict[str, Any] = json.loads(await self.socket.recv())
        return frame

    async def call(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """The response frame of a request; events that come before it are kept."""
        request_id = await self.post(method, params)
        return await self.response(request_id)

    async def post(self, method: str, params: dict[str, Any] | None = None) -> str:
        """Send a request and do not wait; gives its id."""
        request_id = f"r{next(self._ids)}"
        frame = {"type": "req", "id": request_id, "method": method}
        await self.socket.send(json.dumps(frame if params is None else {**frame, "params": params}))
        return request_id

    async def response(self, request_id: str) -> dict[str, Any]:
        """The response to one request."""
        while True:
            frame = await self.receive()
            if frame["type"] == "res" and frame["id"] == request_id:
                return frame
            self.events.append(frame)

    async def ask(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """The payload of a request that must succeed."""
        frame = await self.call(method, params)
        assert frame["ok"], frame
        return _part(frame, "payload")

    async def refusal(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """The error of a request that must fail."""
        frame = await self.call(method, params)
        assert not frame["ok"], frame
        return _part(frame, "error")

    async def event(self, name: str, **facts: Any) -> dict[str, Any]:
        """The payload of the next event of that name whose payload has these facts; earlier events are kept."""
        for frame in self.events:
            if frame["event"] == name and facts.items() <= frame["payload"].items():
                self.events.remove(frame)
                return _part(frame, "payload")
        while True:
            frame = await self.receive()
            if frame["event"] == name and facts.items() <= frame["payload"].items():
                return _part(frame, "payload")
            self.events.append(frame)

    async def closed(self) -> tuple[int, str]:
        """Wait until the gateway closes; its code and reason."""
        with suppress(ConnectionClosed):
            async with asyncio.timeout(WAIT_S):
                async for message in self.socket:
                    self.events.append(json.loads(message))
        return self.socket.close_code or 0, self.socket.close_reason or ""


def _part(frame: dict[str, Any], name: str) -> dict[str, Any]:
    part: dict[str, Any] = frame[name]
    return part


@asynccontextmanager
async def open_server(
    gateway: FakeGateway | None = None, *, clock: Clock | None = None, **settings: Any
) -> AsyncIterator[tuple[ApiServer, FakeGateway]]:
    """A server on a free port of this machine, over a fake gateway."""
    limits = Limits(**settings.pop("limits", {}))
    mounts = settings.pop("mounts", {})
    fake = gateway or FakeGateway()
    options: dict[str, Any] = {"host": "127.0.0.1", "port": 0, "auth": AuthSettings(token=TOKEN), **settings}
    api = ApiSettings(limits=limits, **options)
    async with ApiServer(api, fake, clock=clock or SystemClock(), ids=SystemIds(), mounts=mounts) as server:
        yield server, fake


@asynccontextmanager
async def open_client(server: ApiServer, *, greet: bool = True, **changes: Any) -> AsyncIterator[Client]:
    """A client that has connected well, or (``greet=False``) has only opened the socket."""
    headers = changes.pop("headers", {})
    # A client that reads little must still be able to say goodbye: its frames are kept, however many they are.
    async with connect(
        server.url, additional_headers=headers, max_size=None, max_queue=None, compression=None
    ) as socket:
        client = Client(socket)
        if greet:
            challenge = await client.receive()
            assert challenge["event"] == "connect.challenge"
            client.hello = await client.ask("connect", build_connect(**changes))
        yield client


def run_story(story: Callable[[], Awaitable[None]]) -> None:
    """Run one asynchronous test."""
    asyncio.run(asyncio.wait_for(story(), timeout=150))
