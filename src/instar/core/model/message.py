"""What people write to an agent, and what goes back to them.

An `Inbound` says who, where and when, as the platform said it: ids keep their original spelling, since
delivery needs it (NORM-8); only `instar.core.routing` turns them into keys (LEAK-1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from instar.core.model.ids import AccountId, ChannelName, DeliveryId, Instant

__all__ = ["Attachment", "Chat", "ChatType", "Inbound", "Outbound", "Roster", "Sender", "Target"]

ChatType = Literal["direct", "group", "channel"]
"""One-to-one, a group of people, a room of a server (NORM-9)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """Where a message was written.

    `id` is the platform's id of the chat; for a direct chat that is the other person. `parent_id` is the
    chat a thread hangs under, where the platform gives threads ids of their own (KEY-20).
    """

    type: ChatType
    id: str
    thread_id: str | None = None
    parent_id: str | None = None
    title: str | None = None
    space_id: str | None = None
    """The guild, team or workspace around a room; None where the platform has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who wrote. `id` is the platform's id in its own spelling; `name` is for reading, never for matching."""

    id: str
    name: str | None = None
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """Who is in a group or room now, as its platform says: everybody, ids in the platform's spelling."""

    channel: ChannelName
    account_id: AccountId
    chat: Chat
    member_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that came with a message. `data_base64` is the content as the channel handed it over."""

    name: str
    mime_type: str
    data_base64: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """One message from a platform event, before any decision (design, section 2).

    `message_id` is the platform's own id: with channel and account it is the idempotency key of LOSS-1.
    `mentioned` is True or False where the channel can tell whether the agent was addressed, None where it
    cannot (ACT-4); `mentions_others` says that somebody else was. `at` is when the person wrote it, by the
    platform's clock; None if it does not say. There is no session key here on purpose: a channel cannot
    choose a session (LEAK-1).
    """

    channel: ChannelName
    account_id: AccountId
    message_id: str
    chat: Chat
    sender: Sender
    text: str
    mentioned: bool | None = None
    mentions_others: bool = False
    reply_to_id: str | None = None
    reply_to_agent: bool = False
    at: Instant | None = None
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a reply goes: a chat of an account of a channel, in the platform's own spelling.

    `to` is the id of the chat (the person, in a direct chat).
    """

    channel: ChannelName
    account_id: AccountId
    to: str
    chat_type: ChatType
    thread_id: str | None = None
    reply_to_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbound:
    """One reply as a channel is asked to send it. `attempt` counts from 1 (LOSS-5)."""

    delivery_id: DeliveryId
    target: Target
    text: str
    attempt: int = 1
