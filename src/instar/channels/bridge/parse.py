"""From the JSON of a bridge to an `Inbound`, and to a `Receipt`: pure, and every refusal names its field."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from instar.core.model.ids import AccountId, ChannelName, Instant
from instar.core.model.message import Attachment, Chat, Inbound, Roster, Sender
from instar.core.routing.normalize import CHAT_WORDS, normalize_chat_type
from instar.errors import InvalidRequest, InvariantBroken
from instar.ports.channel import Receipt
from instar.protocol.frames import ATTACHMENT_MAX_BYTES, MESSAGE_TEXT_MAX_BYTES
from instar.protocol.params import Field, Params, check_params

__all__ = [
    "INBOUND",
    "MEMBERS",
    "RECEIPT",
    "parse_inbound",
    "parse_json",
    "parse_members",
    "parse_number",
    "parse_receipt",
]

ID_MAX_CHARS: Final = 512

_DEFAULT_ACCOUNT: Final = "default"

_CHAT: Final = (
    Field(name="type", required=True, choices=CHAT_WORDS),
    Field(name="id", kinds=("string", "integer"), nullable=True, most=ID_MAX_CHARS),
    Field(name="threadId", kinds=("string", "integer"), nullable=True, most=ID_MAX_CHARS),
    Field(name="title", nullable=True, most=1024),
)

_ATTACHMENT: Final = Field(
    name="attachment",
    kinds=("object",),
    closed=True,
    fields=(
        Field(name="name", required=True, least=1, most=1024),
        Field(name="mimeType", required=True, least=1, most=256),
        Field(name="dataBase64", required=True),
    ),
)

INBOUND: Final = (
    Field(name="messageId", kinds=("string", "integer"), required=True, most=ID_MAX_CHARS),
    Field(name="accountId", nullable=True, most=128),
    Field(name="chat", kinds=("object",), required=True, closed=True, fields=_CHAT),
    Field(
        name="sender",
        kinds=("object",),
        required=True,
        closed=True,
        fields=(
            Field(name="id", kinds=("string", "integer"), required=True, most=ID_MAX_CHARS),
            Field(name="name", nullable=True, most=1024),
        ),
    ),
    Field(name="text", required=True),
    Field(name="mentioned", kinds=("boolean",), nullable=True),
    Field(name="mentionsOthers", kinds=("boolean",), nullable=True),
    Field(name="replyToId", kinds=("string", "integer"), nullable=True, most=ID_MAX_CHARS),
    Field(name="at", kinds=("integer",), nullable=True, least=0),
    Field(name="attachments", kinds=("array",), nullable=True, most=64, items=_ATTACHMENT),
)

MEMBERS_MAX: Final = 20_000
"""More than a group of any platform here shows to a bot."""

MEMBERS: Final = (
    Field(name="accountId", nullable=True, most=128),
    Field(name="chat", kinds=("object",), required=True, closed=True, fields=_CHAT),
    Field(
        name="members",
        kinds=("array",),
        required=True,
        most=MEMBERS_MAX,
        items=Field(name="id", kinds=("string", "integer"), most=ID_MAX_CHARS),
    ),
)

RECEIPT: Final = (
    Field(name="status", required=True, choices=("sent", "failed")),
    Field(name="platformId", kinds=("string", "integer"), nullable=True, most=ID_MAX_CHARS),
    Field(name="reason", nullable=True, most=4096),
)


def parse_json(body: bytes) -> Mapping[str, object]:
    """The object in a body. Raises `InvalidRequest` for anything else."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        what = str(error).removeprefix("JSON is malformed: ")
        raise InvalidRequest(f"malformed JSON: {what}", field="body") from None
    except RecursionError:
        raise InvalidRequest("malformed JSON: nested too deeply", field="body") from None
    if not isinstance(value, dict):
        raise InvalidRequest("the body must be a JSON object", field="body")
    return value


def parse_inbound(body: Mapping[str, object], *, channel: ChannelName) -> Inbound:
    """The message of a body. Raises `InvalidRequest` that names what is wrong and where."""
    params = check_params("inbound", INBOUND, body)
    chat, sender = Params(params.record("chat")), Params(params.record("sender"))
    text = params.text("text")
    attachments = _attachments(params.list("attachments"))
    _check_text(text, has_attachments=bool(attachments))
    sender_id = _required(sender, "id", at="/sender/id")
    mentioned = params.values.get("mentioned")
    at = params.maybe_whole("at")
    return Inbound(
        channel=channel,
        account_id=AccountId(params.text("accountId").strip() or _DEFAULT_ACCOUNT),
        message_id=_required(params, "messageId", at="/messageId"),
        chat=_chat(chat, sender_id=sender_id),
        sender=Sender(id=sender_id, name=sender.maybe_text("name")),
        text=text,
        mentioned=mentioned if isinstance(mentioned, bool) else None,
        mentions_others=params.flag("mentionsOthers"),
        reply_to_id=_optional(params, "replyToId"),
        at=None if at is None else Instant(at),
        attachments=attachments,
    )


def _chat(chat: Params, *, sender_id: str) -> Chat:
    kind = normalize_chat_type(chat.text("type"))
    if kind is None:
        raise InvariantBroken("the table lets no other chat type through", why=chat.text("type"))
    chat_id = _optional(chat, "id")
    if chat_id is None and kind != "direct":
        raise _bad("at /chat: must have required property 'id'", field="chat.id")
    return Chat(
        type=kind,
        id=chat_id or sender_id,
        thread_id=_optional(chat, "threadId"),
        title=chat.maybe_text("title"),
    )


def _required(params: Params, name: str, *, at: str) -> str:
    value = _optional(params, name)
    if value is None:
        raise _bad(f"at {at}: must NOT have fewer than 1 characters", field=at.strip("/").replace("/", "."))
    return value


def _optional(params: Params, name: str) -> str | None:
    """An id as text; None when it is absent, null or blank."""
    value = params.values.get(name)
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    text = value if isinstance(value, str) else str(int(value))
    return text if text.strip() else None


def _check_text(text: str, *, has_attachments: bool) -> None:
    if not text.strip() and not has_attachments:
        raise _bad("at /text: must NOT be blank without attachments", field="text")
    size = len(text.encode("utf-8"))
    if size > MESSAGE_TEXT_MAX_BYTES:
        raise _bad(f"at /text: must NOT have more than {MESSAGE_TEXT_MAX_BYTES} bytes (it has {size})", field="text")


def _attachments(items: Sequence[object]) -> tuple[Attachment, ...]:
    return tuple(_attachment(Params(item), index) for index, item in enumerate(items) if isinstance(item, dict))


def _attachment(item: Params, index: int) -> Attachment:
    data, place = item.text("dataBase64"), f"attachments.{index}.dataBase64"
    pointer = f"at /{place.replace('.', '/')}"
    if len(data) > ATTACHMENT_MAX_BYTES * 4 // 3 + 4:
        raise _bad(f"{pointer}: must NOT have more than {ATTACHMENT_MAX_BYTES} bytes decoded", field=place)
    try:
        size = len(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        raise _bad(f"{pointer}: must be base64", field=place) from None
    if size > ATTACHMENT_MAX_BYTES:
        raise _bad(f"{pointer}: must NOT have more than {ATTACHMENT_MAX_BYTES} bytes decoded", field=place)
    return Attachment(name=item.text("name"), mime_type=item.text("mimeType"), data_base64=data)


def parse_members(body: Mapping[str, object], *, channel: ChannelName) -> Roster:
    """The people of a group. Raises `InvalidRequest` that names what is wrong and where."""
    params = check_params("members", MEMBERS, body)
    chat = _chat(Params(params.record("chat")), sender_id="")
    if chat.type == "direct" or not chat.id:
        raise InvalidRequest("at /chat: members are those of a group or channel with an id", field="chat")
    return Roster(
        channel=channel,
        account_id=AccountId(params.text("accountId").strip() or _DEFAULT_ACCOUNT),
        chat=chat,
        member_ids=tuple(str(one).strip() for one in params.list("members")),
    )


def parse_receipt(body: Mapping[str, object]) -> Receipt:
    """The receipt of a body. Raises `InvalidRequest` that names what is wrong and where."""
    params = check_params("receipt", RECEIPT, body)
    return Receipt(
        status="sent" if params.text("status") == "sent" else "failed",
        platform_id=_optional(params, "platformId"),
        reason=params.maybe_text("reason"),
    )


def parse_number(text: str | None, *, name: str, default: float, least: float, most: float) -> float:
    """A number of a query string; above `most` it is lowered to it. Raises `InvalidRequest` that names it."""
    if text is None or not text.strip():
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not value >= least:  # also not a number
        raise _bad(f"{name} must be a number, at least {least:g}", field=name)
    return min(value, most)


def _bad(what: str, *, field: str) -> InvalidRequest:
    return InvalidRequest(what if not what.startswith("at ") else f"invalid inbound params: {what}", field=field)
