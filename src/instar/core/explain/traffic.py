"""Recorded traffic: who wrote where and when, and how much, never what (WHY-4).

One record per message. As JSON it is one flat object per line, with the names of `parse_record`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from instar.core.model.change import InboxItem
from instar.core.model.ids import AccountId, ChannelName, Instant, SessionKey
from instar.core.model.message import Chat, ChatType, Inbound, Sender
from instar.core.routing.normalize import DEFAULT_ACCOUNT, normalize_channel, normalize_chat_type

__all__ = ["TrafficRecord", "build_inbound", "format_record", "parse_record", "record_message"]

_CHARS_PER_TOKEN = 4
"""The estimate of TRANS-18, the other way round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficRecord:
    """One message of the past.

    `is_addressed` says that the message was meant for the agent; its text is gone, so patterns cannot be tried again.
    `resets` marks a message that asked for a new session. `session_key` is set where the source named its session
    (RPC, cron). `size_chars` and `reply_chars` are the lengths of the message and of its answer, `turn_ms` how long
    the answer took. `docks` is the channel on which a command asked for the answers of its session, and
    `is_provider_owned` says that a provider kept that session on its side (RESET-27).
    """

    at: Instant
    channel: ChannelName
    chat_type: ChatType
    chat_id: str
    sender_id: str
    account_id: AccountId = DEFAULT_ACCOUNT
    thread_id: str | None = None
    parent_id: str | None = None
    space_id: str | None = None
    roles: tuple[str, ...] = ()
    is_addressed: bool = False
    is_command: bool = False
    resets: bool = False
    session_key: SessionKey | None = None
    size_chars: int = 0
    reply_chars: int = 0
    turn_ms: int = 0
    docks: ChannelName | None = None
    is_provider_owned: bool = False


def build_inbound(record: TrafficRecord, *, message_id: str) -> Inbound:
    """The message as routing looks at it, without a text."""
    return Inbound(
        channel=record.channel,
        account_id=record.account_id,
        message_id=message_id,
        chat=Chat(
            type=record.chat_type,
            id=record.chat_id,
            thread_id=record.thread_id,
            parent_id=record.parent_id,
            space_id=record.space_id,
        ),
        sender=Sender(id=record.sender_id, roles=record.roles),
        text="",
        mentioned=record.is_addressed,
        at=record.at,
    )


def record_message(
    item: InboxItem,
    *,
    reply_tokens: int = 0,
    resets: bool = False,
    docks: ChannelName | None = None,
    is_provider_owned: bool = False,
) -> TrafficRecord:
    """What an accepted message leaves on record: who, where, when and how much, but no word of it (WHY-4).

    `resets` says that it asked for a new session, `docks` to be answered on another channel. Whether it was meant for
    the agent was decided at the door, when its text was at hand; a source that names the session always means it.
    """
    submission, inbound = item.submission, item.submission.inbound
    chat, named = inbound.chat, submission.session_key is not None
    seen = next((one.inputs for one in item.acceptance.decisions if one.kind == "activation"), {})
    ended_at = item.ended_at if item.state == "answered" else None
    return TrafficRecord(
        at=item.received_at,
        channel=inbound.channel,
        chat_type=chat.type,
        chat_id=chat.id,
        sender_id=inbound.sender.id,
        account_id=inbound.account_id,
        thread_id=chat.thread_id,
        parent_id=chat.parent_id,
        space_id=chat.space_id,
        roles=inbound.sender.roles,
        is_addressed=named or inbound.mentioned is True or seen.get("addressed") is not None,
        is_command=resets or item.state == "command" or seen.get("command") is True,
        resets=resets,
        session_key=submission.session_key,
        size_chars=len(inbound.text),
        reply_chars=reply_tokens * _CHARS_PER_TOKEN,
        turn_ms=0 if ended_at is None else max(0, ended_at - item.received_at),
        docks=docks,
        is_provider_owned=is_provider_owned,
    )


def format_record(record: TrafficRecord) -> dict[str, object]:
    """The record as a JSON object; what is empty is left out."""
    fields: dict[str, object] = {
        "at": record.at,
        "channel": record.channel,
        "chatType": record.chat_type,
        "chatId": record.chat_id,
        "senderId": record.sender_id,
        "accountId": None if record.account_id == DEFAULT_ACCOUNT else record.account_id,
        "threadId": record.thread_id,
        "parentId": record.parent_id,
        "spaceId": record.space_id,
        "roles": list(record.roles),
        "addressed": record.is_addressed,
        "command": record.is_command,
        "resets": record.resets,
        "sessionKey": record.session_key,
        "sizeChars": record.size_chars,
        "replyChars": record.reply_chars,
        "turnMs": record.turn_ms,
        "docks": record.docks,
        "providerOwned": record.is_provider_owned,
    }
    always = ("at", "channel", "chatType", "chatId", "senderId")
    return {name: value for name, value in fields.items() if name in always or value}


def parse_record(fields: Mapping[str, object]) -> TrafficRecord | str:
    """The record that a JSON object holds, or the name of the field that cannot be read. Unknown fields are ignored."""
    at, channel = _count(fields.get("at")), _text(fields.get("channel"))
    chat_type = normalize_chat_type(_text(fields.get("chatType")))
    missing = [name for name, value in (("at", at), ("channel", channel), ("chatType", chat_type)) if value is None]
    if missing or at is None or channel is None or chat_type is None:
        return missing[0]
    roles, key = fields.get("roles"), _text(fields.get("sessionKey"))
    docks = _text(fields.get("docks"))
    return TrafficRecord(
        at=Instant(at),
        channel=normalize_channel(channel),
        chat_type=chat_type,
        chat_id=_text(fields.get("chatId")) or "",
        sender_id=_text(fields.get("senderId")) or "",
        account_id=AccountId(_text(fields.get("accountId")) or DEFAULT_ACCOUNT),
        thread_id=_text(fields.get("threadId")),
        parent_id=_text(fields.get("parentId")),
        space_id=_text(fields.get("spaceId")),
        roles=tuple(role for role in roles if isinstance(role, str)) if isinstance(roles, list | tuple) else (),
        is_addressed=fields.get("addressed") is True,
        is_command=fields.get("command") is True,
        resets=fields.get("resets") is True,
        session_key=SessionKey(key) if key else None,
        size_chars=_count(fields.get("sizeChars")) or 0,
        reply_chars=_count(fields.get("replyChars")) or 0,
        turn_ms=_count(fields.get("turnMs")) or 0,
        docks=normalize_channel(docks) if docks else None,
        is_provider_owned=fields.get("providerOwned") is True,
    )


def _text(value: object) -> str | None:
    """Text, or an id that was written as a number; None for anything else and for nothing."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value) or None


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        return None
    return int(value)
