"""Frames: one JSON object per text message (GW-2).

Reading is strict (an unknown field is named, a wrong type is named) and bounded: nesting deeper than the decoder's
stack and numbers beyond a double are refused like any other malformed text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from instar.errors import InvalidRequest
from instar.protocol.errors import ErrorShape

__all__ = [
    "ATTACHMENT_MAX_BYTES",
    "CONNECTED_FRAME_MAX_BYTES",
    "FIRST_FRAME_MAX_BYTES",
    "MESSAGE_TEXT_MAX_BYTES",
    "SEND_BUFFER_MAX_BYTES",
    "TICK_INTERVAL_S",
    "BadFrame",
    "Request",
    "build_error",
    "build_response",
    "encode_event_head",
    "encode_json",
    "finish_event",
    "parse_request",
]

FIRST_FRAME_MAX_BYTES: Final = 64 * 1024
"""Before `connect` nobody is known, so nobody gets memory (GW-7)."""

CONNECTED_FRAME_MAX_BYTES: Final = 25 * 1024 * 1024
"""Largest frame of a connected client; told in `hello-ok.policy.maxPayload` (GW-7)."""

SEND_BUFFER_MAX_BYTES: Final = 50 * 1024 * 1024
"""What a client may leave unread before it is closed; told as `maxBufferedBytes` (GW-7)."""

MESSAGE_TEXT_MAX_BYTES: Final = 1024 * 1024
"""Longest text of one message, UTF-8 (GW-7)."""

ATTACHMENT_MAX_BYTES: Final = 5 * 1024 * 1024
"""Decoded size of one attachment (RPC-36)."""

TICK_INTERVAL_S: Final = 30.0
"""How often a quiet connection hears that the gateway lives (GW-7)."""

_encoder = msgspec.json.Encoder()
encode_json = _encoder.encode
"""JSON of plain values, as bytes."""


class BadFrame(InvalidRequest):
    """A frame that is no request. `request_id` is its id where one could be read, else ``invalid``."""

    def __init__(self, what: str, *, request_id: str = "invalid") -> None:
        super().__init__(what)
        self.request_id = request_id


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request. `traceparent` is accepted for tracing (W3C) and not part of any answer."""

    type: Literal["req"]
    id: str
    method: str
    params: dict[str, object] | None = None
    traceparent: str | None = None


_requests = msgspec.json.Decoder(Request)


def parse_request(text: str | bytes) -> Request:
    """The request in a text frame. Raises `BadFrame` with what is wrong and, if readable, the request's id."""
    try:
        request = _requests.decode(text)
    except msgspec.ValidationError as error:
        raise BadFrame(f"invalid request frame: {_plain(error)}", request_id=_read_id(text)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadFrame(f"invalid request frame: malformed JSON: {error}", request_id=_read_id(text)) from None
    except RecursionError:
        raise BadFrame("invalid request frame: nested too deeply") from None
    if not request.id or not request.method:
        empty = "id" if not request.id else "method"
        what = f"invalid request frame: at /{empty}: must NOT have fewer than 1 characters"
        raise BadFrame(what, request_id=request.id or "invalid")
    return request


def _plain(error: msgspec.ValidationError) -> str:
    """The decoder's sentence with its path written as in every other message: ``at /params: …``."""
    what, _, path = str(error).partition(" - at `$")
    place = path.rstrip("`").replace("[...]", "").replace(".", "/")
    return f"at {place}: {what}" if place else what


def _read_id(text: str | bytes) -> str:
    """The id of a frame that is no request, so that whoever sent it is answered and need not wait in vain.

    The reader is the forgiving one of the standard library: JavaScript writes half an emoji as a lone surrogate and
    reads 1e400 as infinity, neither of which the strict one takes.
    """
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        return "invalid"
    value = frame.get("id") if isinstance(frame, dict) else None
    return value if isinstance(value, str) and value else "invalid"


def build_response(request_id: str, payload: object) -> bytes:
    """A response that says yes."""
    return encode_json({"type": "res", "id": request_id, "ok": True, "payload": payload})


def build_error(request_id: str, error: ErrorShape) -> bytes:
    """A response that says no."""
    return encode_json({"type": "res", "id": request_id, "ok": False, "error": error})


def encode_event_head(event: str, payload: object, *, state_version: Mapping[str, int] | None = None) -> bytes:
    """An event without its sequence number and closing brace: encoded once, sent to many (`finish_event`)."""
    head = b'{"type":"event","event":' + encode_json(event) + b',"payload":' + encode_json(payload)
    return head if state_version is None else head + b',"stateVersion":' + encode_json(state_version)


def finish_event(head: bytes, seq: int | None) -> bytes:
    """The whole event frame for one connection; `seq` counts that connection's events (GW-12)."""
    return head + b"}" if seq is None else head + b',"seq":%d}' % seq
