"""What every channel owes (PY-3): run `CHANNEL_CHECKS` over a rig of your channel.

    @pytest.mark.parametrize("check", CHANNEL_CHECKS, ids=lambda check: check.__name__)
    def test_my_channel_keeps_the_contract(check):
        asyncio.run(check(MyRig))

A rig stands where the platform stands: it delivers what people write in the platform's own way, and shows what they
were sent. Each check opens a rig of its own and raises `AssertionError` when a promise is broken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Final, Protocol

from instar.core.model.change import Acknowledgement
from instar.core.model.ids import AccountId, DeliveryId, InboundId, SessionKey
from instar.core.model.message import Chat, Inbound, Outbound, Sender, Target
from instar.errors import ChannelError, StoreFull
from instar.ports.channel import Channel, ChannelContext, Receipt

__all__ = ["CHANNEL_CHECKS", "ChannelRig", "MemoryContext", "OpenRig", "build_inbound", "build_outbound"]

PATIENCE_S: Final = 60.0


class ChannelRig(Protocol):
    """A channel and the platform around it. The channel is not started yet."""

    @property
    def channel(self) -> Channel:
        """The channel."""
        ...

    async def post(self, inbound: Inbound) -> Acknowledgement | None:
        """Deliver a message as the platform does; what the platform was told, None if it was told to repeat it."""
        ...

    async def received(self, count: int) -> Sequence[Outbound]:
        """What people were sent, in order, once it is so much; a fetching platform fetches and confirms."""
        ...


OpenRig = Callable[[], AbstractAsyncContextManager[ChannelRig]]
"""Opens a rig for one check and tidies up after it."""


class MemoryContext:
    """The gateway as a channel sees it, in memory. `accepted` holds every new message, `receipts` what was settled."""

    def __init__(self) -> None:
        self.accepted: list[Inbound] = []
        self.answers: dict[tuple[str, str], Acknowledgement] = {}
        self.receipts: dict[DeliveryId, Receipt] = {}
        self.owed: list[Outbound] = []
        self.fail: Exception | None = None
        self._due = asyncio.Event()

    def context(self) -> ChannelContext:
        """What is lent to the channel."""
        return ChannelContext(accept=self._accept, claim=self._claim, settle=self._settle, wait=self._wait)

    def owe(self, outbound: Outbound) -> None:
        """Owe a reply to a fetching channel."""
        self.owed.append(outbound)
        self._due.set()

    async def _accept(self, inbound: Inbound) -> Acknowledgement:
        if self.fail is not None:
            raise self.fail
        key = (inbound.account_id, inbound.message_id)
        if key in self.answers:
            return replace(self.answers[key], repeated=True)
        self.accepted.append(inbound)
        answer = Acknowledgement(
            inbound_id=InboundId(f"i{len(self.accepted)}"), status="accepted", session_key=SessionKey("agent:main:main")
        )
        self.answers[key] = answer
        return answer

    async def _claim(self, limit: int) -> Sequence[Outbound]:
        self.owed = [replace(outbound, attempt=outbound.attempt + 1) for outbound in self.owed]
        return tuple(replace(outbound, attempt=outbound.attempt - 1) for outbound in self.owed[:limit])

    async def _settle(self, delivery_id: DeliveryId, receipt: Receipt) -> bool:
        is_ours = delivery_id in self.receipts or any(one.delivery_id == delivery_id for one in self.owed)
        self.owed = [one for one in self.owed if one.delivery_id != delivery_id]
        if is_ours:
            self.receipts.setdefault(delivery_id, receipt)
        return is_ours

    async def _wait(self, seconds: float) -> None:
        self._due.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._due.wait()
        except TimeoutError:
            return


def build_inbound(rig: ChannelRig, *, message_id: str = "m1", text: str = "hello", chat: Chat | None = None) -> Inbound:
    """A message on the rig's channel."""
    return Inbound(
        channel=rig.channel.name,
        account_id=AccountId("default"),
        message_id=message_id,
        chat=chat or Chat(type="direct", id="42"),
        sender=Sender(id="42", name="Ann"),
        text=text,
    )


def build_outbound(rig: ChannelRig, *, number: int = 1, text: str = "hi") -> Outbound:
    """A reply to a group's thread on the rig's channel."""
    target = Target(
        channel=rig.channel.name,
        account_id=AccountId("default"),
        to="g1",
        chat_type="group",
        thread_id="7",
        reply_to_id="m1",
    )
    return Outbound(delivery_id=DeliveryId(f"d{number}"), target=target, text=text)


async def _deliver(rig: ChannelRig, world: MemoryContext, outbound: Outbound) -> None:
    """Make the channel owe a reply, in the way of its kind."""
    if rig.channel.capabilities.pulls:
        world.owe(outbound)
    else:
        await rig.channel.send(outbound)


async def check_its_name_is_a_plain_word(open_rig: OpenRig) -> None:
    """The name stands in every key, so it is lower case and has no separator."""
    async with open_rig() as rig:
        name = rig.channel.name
        assert name
        assert name == name.strip().lower()
        assert ":" not in name


async def check_who_and_where_reach_the_gateway_unchanged(open_rig: OpenRig) -> None:
    """Ids keep the platform's spelling, hostile ones included; only routing turns them into keys (LEAK-1, NORM-8)."""
    world = MemoryContext()
    chats = [
        Chat(type="direct", id="42"),
        Chat(type="group", id="-1001", thread_id="7", title="Friends"),
        Chat(type="channel", id="C:1/../..%00\u202e"),
    ]
    async with open_rig() as rig:
        await rig.channel.start(world.context())
        for number, chat in enumerate(chats):
            await rig.post(build_inbound(rig, message_id=f"m{number}", chat=chat))
        assert [inbound.chat for inbound in world.accepted] == chats
        assert {inbound.channel for inbound in world.accepted} == {rig.channel.name}
        assert {inbound.sender.id for inbound in world.accepted} == {"42"}
        await rig.channel.stop()


async def check_a_repeated_message_gets_the_same_answer(open_rig: OpenRig) -> None:
    """The platform's own message id is the idempotency key (LOSS-1)."""
    world = MemoryContext()
    async with open_rig() as rig:
        await rig.channel.start(world.context())
        answers = [await rig.post(build_inbound(rig)) for _ in range(3)]
        assert len(world.accepted) == 1
        told = {(answer.inbound_id, answer.status, answer.reason) for answer in answers if answer is not None}
        assert len(told) == 1
        assert None not in answers
        await rig.channel.stop()


async def check_what_was_not_stored_is_not_acknowledged(open_rig: OpenRig) -> None:
    """When the gateway cannot store a message, the platform is told to repeat it, and the repeat is accepted."""
    world = MemoryContext()
    async with open_rig() as rig:
        await rig.channel.start(world.context())
        world.fail = StoreFull("Cannot store the message", why="the disk is full")
        assert await rig.post(build_inbound(rig)) is None
        world.fail = None
        assert await rig.post(build_inbound(rig)) is not None
        assert len(world.accepted) == 1
        await rig.channel.stop()


async def check_replies_reach_their_chat_in_order(open_rig: OpenRig) -> None:
    """Each reply is received once, in order, in the chat and thread it is for."""
    world = MemoryContext()
    async with open_rig() as rig:
        await rig.channel.start(world.context())
        replies = [build_outbound(rig, number=number, text=f"reply {number}") for number in range(1, 4)]
        for reply in replies:
            await _deliver(rig, world, reply)
        async with asyncio.timeout(PATIENCE_S):
            received = await rig.received(len(replies))
        assert [one.text for one in received] == [one.text for one in replies]
        places = {(one.target.to, one.target.chat_type, one.target.thread_id) for one in received}
        assert places == {("g1", "group", "7")}
        await rig.channel.stop()


async def check_a_fetching_channel_settles_what_was_fetched(open_rig: OpenRig) -> None:
    """A fetching channel hands replies out until their receipt, and is never asked to push."""
    world = MemoryContext()
    async with open_rig() as rig:
        if not rig.channel.capabilities.pulls:
            return
        await rig.channel.start(world.context())
        world.owe(build_outbound(rig))
        async with asyncio.timeout(PATIENCE_S):
            await rig.received(1)
        assert world.receipts[DeliveryId("d1")].status == "sent"
        assert world.owed == []
        try:
            await rig.channel.send(build_outbound(rig))
        except ChannelError:
            pass
        else:
            raise AssertionError("a channel that pulls refuses to push")
        await rig.channel.stop()


async def check_it_stops_and_starts_again(open_rig: OpenRig) -> None:
    """Stopping twice is well; a stopped channel takes nothing; a started one takes again."""
    world = MemoryContext()
    async with open_rig() as rig:
        await rig.channel.start(world.context())
        await rig.channel.stop()
        await rig.channel.stop()
        assert await rig.post(build_inbound(rig)) is None
        assert world.accepted == []
        await rig.channel.start(world.context())
        assert await rig.post(build_inbound(rig)) is not None
        await rig.channel.stop()


CHANNEL_CHECKS: Final[Sequence[Callable[[OpenRig], Awaitable[None]]]] = (
    check_its_name_is_a_plain_word,
    check_who_and_where_reach_the_gateway_unchanged,
    check_a_repeated_message_gets_the_same_answer,
    check_what_was_not_stored_is_not_acknowledged,
    check_replies_reach_their_chat_in_order,
    check_a_fetching_channel_settles_what_was_fetched,
    check_it_stops_and_starts_again,
)
"""Every promise of a channel, one check each."""
