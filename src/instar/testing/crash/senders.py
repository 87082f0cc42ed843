"""Those who write: people at bridges and people at the WebSocket, each message repeated until it is acknowledged.

They keep to what Instar asks of a sender and to nothing more. Beyond that they are as careless as real ones: they hang
up in the middle, and they repeat what was acknowledged long ago.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Final, Protocol

from instar.client.client import GatewayClient
from instar.client.discovery import GatewayAddress
from instar.errors import InstarError, StoreError, Unavailable
from instar.testing.crash.ledger import Ledger, Person, format_token
from instar.testing.crash.process import BRIDGES, TOKEN
from instar.testing.crash.web import Unanswered, ask
from instar.testing.simulate.dice import Dice

__all__ = ["Sender", "build_senders"]

_OPEN_MAX: Final = 3
"""Messages of one person that wait for their answers at once: well below the cap of a lane (QUEUE-13)."""

_REST_MS: Final = 150
"""Before a message is repeated."""

_HANG_UP_PERCENT: Final = 4
_REPEAT_PERCENT: Final = 5


class Door(Protocol):
    """One way to bring messages to the gateway."""

    async def post(self, token: str) -> bool:
        """Post a message once; whether it was acknowledged."""
        ...

    async def rest(self, sent: list[str]) -> None:
        """Wait for answers to what was sent, as far as this sender does."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Sender:
    """One person, who writes message after message."""

    def __init__(self, person: Person, door: Door, ledger: Ledger, dice: Dice, *, pace_ms: int) -> None:
        self._person = person
        self._door = door
        self._ledger = ledger
        self._dice = dice
        self._pace_ms = pace_ms

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop`; the last message is acknowledged then."""
        sent: list[str] = []
        try:
            while not stop.is_set():
                token = format_token(self._person.name, len(sent) + 1)
                sent.append(token)
                await self._insist(token)
                if self._dice.chance(_REPEAT_PERCENT):
                    await self._insist(self._dice.pick(sent))
                await _first_of(self._door.rest(sent), stop.wait())
                await asyncio.sleep(self._dice.below(self._pace_ms) / 1000)
        finally:
            await self._door.close()

    async def _insist(self, token: str) -> None:
        """Post a message until it is acknowledged (LOSS-1)."""
        self._ledger.post(token, self._person)
        while not await self._door.post(token):
            await asyncio.sleep((_REST_MS + self._dice.below(_REST_MS)) / 1000)
            self._ledger.repeats += 1


class _BridgeDoor:
    """The door of a bridge: ``POST inbound``."""

    def __init__(self, person: Person, ledger: Ledger, dice: Dice, *, port: int) -> None:
        self._person = person
        self._ledger = ledger
        self._dice = dice
        self._port = port

    async def post(self, token: str) -> bool:
        person = self._person
        chat = {"type": "group", "id": person.group} if person.group else {"type": "direct"}
        body = {"messageId": token, "chat": chat, "sender": {"id": person.name}, "text": f"{token} and so on"}
        path = f"/channels/{person.channel}/inbound"
        hang_up = self._dice.chance(_HANG_UP_PERCENT)
        mention = {"mentioned": True} if person.group else {}
        try:
            status, answer = await ask(self._port, "POST", path, {**body, **mention}, hang_up=hang_up)
        except Unanswered:
            return False
        if status == 200:
            self._ledger.tell(token, answer)
        elif status != 503:
            self._ledger.contradictions.append(f"{token} was answered {status} {dict(answer)}")
        return status == 200

    async def rest(self, sent: list[str]) -> None:
        limit = 1 + self._dice.below(_OPEN_MAX)
        while self._ledger.unanswered(sent) >= limit:
            await self._ledger.news.wait()

    async def close(self) -> None:
        """Every request had a connection of its own."""


class _SocketDoor:
    """The door of programs: ``chat.send`` over a WebSocket; a broken connection is made anew."""

    def __init__(self, person: Person, ledger: Ledger, dice: Dice, *, port: int) -> None:
        self._person = person
        self._ledger = ledger
        self._dice = dice
        self._address = GatewayAddress(url=f"ws://127.0.0.1:{port}", token=TOKEN)
        self._client: GatewayClient | None = None

    async def post(self, token: str) -> bool:
        params = {"sessionKey": self._person.name, "message": f"{token} and so on", "idempotencyKey": token}
        try:
            sending = asyncio.ensure_future((await self._connect()).call("chat.send", params))
            if self._dice.chance(_HANG_UP_PERCENT):
                await asyncio.wait([sending], timeout=self._dice.below(10) / 1000)
                await self.close()
            answer = await sending
        except (Unavailable, StoreError):
            await self.close()
            return False
        except InstarError as error:
            self._ledger.contradictions.append(f"{token} was answered {error}")
            return False
        # All but `status`, which tells how far the run is (LOSS-1).
        self._ledger.tell(token, {name: value for name, value in answer.items() if name != "status"})
        return True

    async def rest(self, sent: list[str]) -> None:
        if self._dice.chance(30):
            return
        try:
            await (await self._connect()).agent_wait(sent[-1], timeout_s=3)
        except InstarError:
            await self.close()

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.__aexit__(None, None, None)

    async def _connect(self) -> GatewayClient:
        if self._client is None:
            client = GatewayClient(lambda: (self._address,), reconnects=False, timeout_s=30.0)
            await client.__aenter__()
            self._client = client
        return self._client


def build_senders(count: int, ledger: Ledger, *, seed: int, port: int, pace_ms: int) -> list[Sender]:
    """So many people: three of four at bridges, some of those in groups, the others at the WebSocket."""
    senders = []
    for number in range(count):
        dice = Dice(seed * 1000 + number)
        person = _draw_person(number)
        door = (_BridgeDoor if person.channel else _SocketDoor)(person, ledger, dice, port=port)
        senders.append(Sender(person, door, ledger, dice, pace_ms=pace_ms))
    return senders


def _draw_person(number: int) -> Person:
    """Every fourth at the WebSocket; the people of the last bridge sit in groups of three."""
    if number % 4 == 3:
        return Person(name=f"sue{number}")
    channel = list(BRIDGES)[number % 4]
    is_group = channel == list(BRIDGES)[-1]
    return Person(name=f"tom{number}", channel=channel, group=f"club{number // 12}" if is_group else "")


async def _first_of(*awaitables: Coroutine[object, object, object]) -> None:
    """Return when the first is done; the others are cut off."""
    tasks = [asyncio.create_task(one) for one in awaitables]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
