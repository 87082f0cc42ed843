"""Attachments of a request (RPC-36)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence

from instar.core.model.message import Attachment
from instar.errors import InvalidRequest
from instar.protocol.frames import ATTACHMENT_MAX_BYTES

__all__ = ["parse_attachments"]


def parse_attachments(items: Sequence[object]) -> tuple[Attachment, ...]:
    """The attachments, checked. Raises `InvalidRequest` that names the place of a bad one."""
    return tuple(_parse(item, at) for at, item in enumerate(items) if isinstance(item, Mapping))


def _parse(item: Mapping[str, object], at: int) -> Attachment:
    content = item.get("content")
    if not isinstance(content, str) or not content:
        raise _bad(at, "must have required property 'content'")
    # A data URL is what a browser's file reader gives.
    head, comma, body = content.partition(",") if content.startswith("data:") else ("", "", content)
    data = body if comma or not head else content
    if len(data) * 3 // 4 > ATTACHMENT_MAX_BYTES + 2 or _decoded_size(data, at) > ATTACHMENT_MAX_BYTES:
        raise _bad(at, f"must NOT have more than {ATTACHMENT_MAX_BYTES} bytes decoded")
    mime_type = item.get("mimeType") or head.removeprefix("data:").partition(";")[0] or "application/octet-stream"
    return Attachment(name=str(item.get("fileName") or "attachment"), mime_type=str(mime_type), data_base64=data)


def _decoded_size(data: str, at: int) -> int:
    try:
        return len(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        raise _bad(at, "must be base64") from None


def _bad(at: int, what: str) -> InvalidRequest:
    return InvalidRequest(f"at /attachments/{at}/content: {what}", field="attachments")
