"""Every channel keeps the same promises, the shipped twin included."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from instar.channels.bridge.adapter import BridgeChannel
from instar.core.model.change import Acknowledgement
from instar.core.model.ids import AccountId, ChannelName, DeliveryId, InboundId, SessionKey
from instar.core.model.message import Inbound, Outbound, Target
from instar.errors import InvariantBroken, StoreError
from instar.ports.channel import Channel
from instar.testing.channel import MemoryChannel
from instar.testing.channel_suite import CHANNEL_CHECKS
from tests.builders.asgi import call_asgi


class BridgeRig:
    """A program on the other side of a bridge."""

    def __init__(self) -> None:
        self._bridge = BridgeChannel(ChannelName("bridge"), token="t")
        self._headers = {"Authorization": "Bearer t", "Content-Type": "application/json"}

    @property
    def channel(self) -> Channel:
        return self._bridge

    async def _call(self, method: str, path: str, body: object = None):
        data = b"" if body is None else json.dumps(body).encode()
        return await call_asgi(self._bridge.http_app, method, path, body=data, headers=self._headers)

    async def post(self, inbound: Inbound) -> Acknowledgement | None:
        chat = {"type": inbound.chat.type, "id": inbound.chat.id}
        chat |= {"threadId": inbound.chat.thread_id, "title": inbound.chat.title}
        body = {
            "messageId": inbound.message_id,
            "chat": chat,
            "sender": {"id": inbound.sender.id, "name": inbound.sender.name},
            "text": inbound.text,
        }
        answer = await self._call("POST", "/inbound", body)
        if answer.status == 503:
            assert int(answer.headers["retry-after"]) >= 1
            return None
        assert answer.status == 200, answer
        told = answer.json()
        return Acknowledgement(
            inbound_id=InboundId(told["inboundId"]), status=told["status"], session_key=SessionKey("")
        )

    async def received(self, count: int) -> Sequence[Outbound]:
        got: list[Outbound] = []
        while len(got) < count:
            answer = await self._call("GET", "/outbound?wait=2&max=2")
            for message in answer.json()["messages"]:
                got.append(self._outbound(message))
                receipt = await self._call(
                    "POST", f"/outbound/{message['deliveryId']}/receipt", {"status": "sent", "platformId": "p"}
                )
                assert receipt.status == 200
        return got

    def _outbound(self, message) -> Outbound:
        chat = message["chat"]
        target = Target(
            channel=self._bridge.name,
            account_id=AccountId(message["accountId"]),
            to=chat["id"],
            chat_type=chat["type"],
            thread_id=chat.get("threadId"),
        )
        return Outbound(delivery_id=DeliveryId(message["deliveryId"]), target=target, text=message["text"])


class MemoryRig:
    """The shipped twin, whose platform is the test itself."""

    def __init__(self) -> None:
        self._memory = MemoryChannel("memory")
        self._context = None

    @property
    def channel(self) -> Channel:
        return self._memory

    async def post(self, inbound: Inbound) -> Acknowledgement | None:
        # The twin has no platform that could repeat, so an error takes the place of "repeat it".
        try:
            context = self._memory._context
            if context is None:
                raise InvariantBroken("a channel is started before anybody writes on it")
            return await context.accept(inbound)
        except (StoreError, InvariantBroken):
            return None

    async def received(self, count: int) -> Sequence[Outbound]:
        return await self._memory.wait_sent(count)


@pytest.mark.parametrize("rig", [BridgeRig, MemoryRig], ids=["bridge", "memory"])
@pytest.mark.parametrize("check", CHANNEL_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_every_channel_keeps_its_promises(check, rig):
    @asynccontextmanager
    async def open_rig() -> AsyncIterator[object]:
        yield rig()

    asyncio.run(check(open_rig))
