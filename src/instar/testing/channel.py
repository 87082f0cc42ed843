"""A channel in memory: a test speaks for its people and reads what they were sent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from instar.core.model.change import Acknowledgement
from instar.core.model.ids import AccountId, ChannelName
from instar.core.model.message import Chat, ChatType, Inbound, Outbound, Roster, Sender
from instar.errors import ChannelError, InvariantBroken
from instar.ports.channel import Capabilities, ChannelContext, Receipt

__all__ = ["MemoryChannel"]


class MemoryChannel:
    """Keeps `instar.ports.channel.Channel`. `sent` holds what was sent, `failures` are raised first, both in order."""

    def __init__(self, name: str, *, capabilities: Capabilities | None = None) -> None:
        self._name = ChannelName(name)
        self._capabilities = capabilities or Capabilities()
        self._context: ChannelContext | None = None
        self._numbers = 0
        self._arrived = asyncio.Event()
        self.sent: list[Outbound] = []
        self.failures: list[ChannelError] = []

    @property
    def name(self) -> ChannelName:
        """The name in configuration and in every key."""
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        """What the test gave it."""
        return self._capabilities

    async def start(self, context: ChannelContext) -> None:
        """Take the gateway's hand."""
        self._context = context

    async def stop(self) -> None:
        """Let go of it."""
        self._context = None

    async def send(self, outbound: Outbound) -> Receipt:
        """Keep the reply, or fail as the test asked."""
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(outbound)
        self._arrived.set()
        return Receipt(status="sent", platform_id=f"p{len(self.sent)}")

    async def post(
        self,
        text: str,
        *,
        sender: str = "42",
        name: str | None = None,
        chat_type: ChatType = "direct",
        chat_id: str | None = None,
        thread_id: str | None = None,
        message_id: str | None = None,
        mentioned: bool | None = None,
        mentions_others: bool = False,
        reply_to_id: str | None = None,
    ) -> Acknowledgement:
        """Post a message as `sender`; without a message id each post is a new message."""
        if self._context is None:
            raise InvariantBroken("a channel is started before anybody writes on it")
        self._numbers += 1
        return await self._context.accept(
            Inbound(
                channel=self._name,
                account_id=AccountId("default"),
                message_id=message_id or f"m{self._numbers}",
                chat=Chat(type=chat_type, id=sender if chat_id is None else chat_id, thread_id=thread_id),
                sender=Sender(id=sender, name=name),
                text=text,
                mentioned=mentioned,
                mentions_others=mentions_others,
                reply_to_id=reply_to_id,
            )
        )

    async def report(self, group_id: str, member_ids: Sequence[str]) -> None:
        """Say who is in a group now."""
        if self._context is None:
            raise InvariantBroken("a channel is started before it says who is in its groups")
        chat = Chat(type="group", id=group_id)
        await self._context.report_members(
            Roster(channel=self._name, account_id=AccountId("default"), chat=chat, member_ids=tuple(member_ids))
        )

    async def wait_sent(self, count: int) -> Sequence[Outbound]:
        """What was sent, once it is at least so much. Give it a timeout of your own."""
        while len(self.sent) < count:
            self._arrived.clear()
            await self._arrived.wait()
        return self.sent
