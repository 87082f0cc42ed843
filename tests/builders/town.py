"""A gateway with several people on channels and at its wire: for tests of who sees what (LEAK-4)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from instar.api.server import ApiServer
from instar.api.settings import ApiSettings, AuthSettings, Limits
from instar.system.clock import SystemClock
from instar.system.ids import SystemIds
from instar.testing.gateway import GatewayInMemory
from tests.builders.stories import build_config
from tests.builders.wire import TOKEN, Client, open_client

__all__ = ["ALICE", "BOB", "CLUB", "MAIN", "PEOPLE", "Town", "open_town"]

ALICE = "agent:main:direct:alice"
BOB = "agent:main:telegram:direct:bob"
CLUB = "agent:main:telegram:group:club"
MAIN = "agent:main:main"

PEOPLE: dict[str, Any] = build_config(
    channels=("telegram", "slack"),
    session={
        "dmScope": "per-channel-peer",
        "identityLinks": {"alice": ["telegram:ann", "slack:U7"]},
    },
)
"""Ann of telegram is U7 of slack, and both are Alice; Bob is nobody else."""


class Town:
    """The gateway, its server, and clients by whose token they have."""

    def __init__(self, world: GatewayInMemory, server: ApiServer) -> None:
        self.world = world
        self.server = server

    async def token(self, principal: str | None, *scopes: str) -> str:
        """A new token."""
        async with open_client(self.server) as owner:
            wish: dict[str, Any] = {"scopes": list(scopes or ("read", "write"))}
            made = await owner.ask("tokens.create", wish | ({"principal": principal} if principal else {}))
        return str(made["token"])

    @asynccontextmanager
    async def client(self, principal: str | None = None, *scopes: str, **changes: Any) -> AsyncIterator[Client]:
        """A client with a token of that person; without one the owner, by the gateway's own secret."""
        token = TOKEN if principal is None and not scopes else await self.token(principal, *scopes)
        async with open_client(self.server, auth={"token": token}, **changes) as client:
            yield client

    async def post(self, text: str, *, sender: str, group: str | None = None, channel: str = "telegram") -> None:
        """A message on a channel, answered."""
        where: dict[str, Any] = {} if group is None else {"chat_type": "group", "chat_id": group, "mentioned": True}
        await self.world.channel(channel).post(text, sender=sender, **where)
        await self.world.settle()

    async def populate(self) -> None:
        """Alice on two channels, Bob, a club of Bob's and the owner's main session; each with a word of its own."""
        await self.post("alice-word on telegram", sender="ann")
        await self.post("alice-word on slack", sender="U7", channel="slack")
        await self.post("bob-word", sender="bob")
        await self.post("club-word", sender="bob", group="club")
        async with self.client() as owner:
            await owner.ask("chat.send", {"sessionKey": "main", "message": "owner-word", "idempotencyKey": "o1"})
        await self.world.settle()


@asynccontextmanager
async def open_town(config: dict[str, Any] | None = None, *, limits: Limits | None = None) -> AsyncIterator[Town]:
    """The town, with nobody in it yet."""
    clock, ids = SystemClock(), SystemIds()
    settings = ApiSettings(port=0, auth=AuthSettings(token=TOKEN), limits=limits or Limits())
    async with (
        GatewayInMemory(config or PEOPLE, clock=clock, ids=ids) as world,
        ApiServer(settings, world.gateway, clock=clock, ids=ids) as server,
    ):
        yield Town(world, server)
