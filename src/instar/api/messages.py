"""Stored messages as clients see them (RPC-15, RPC-37)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from instar.core.context.envelope import ENVELOPE_KEY
from instar.core.model.entry import AnyEntry, MessageEntry
from instar.core.model.ids import TurnId
from instar.core.model.query import StoredEntry
from instar.core.transcript.codec_messages import format_message
from instar.protocol.frames import encode_json

__all__ = ["HISTORY_MAX_BYTES", "build_message", "build_messages", "build_text_message"]

HISTORY_MAX_BYTES: Final = 6 * 1024 * 1024
"""What one history answer may weigh; the oldest messages are dropped first (RPC-37)."""

_CUT_MARK: Final = "\n…(truncated)…"


def build_message(entry: AnyEntry, seq: int, *, run_id: TurnId | None = None) -> dict[str, object] | None:
    """A stored message in wire form, None for an entry that holds none.

    Who wrote in a group and when stays inside: clients show the words (RPC-37). ``__openclaw`` is where clients of
    the protocol look for a message's identity, so that a live event and a history row are seen to be the same.
    """
    if not isinstance(entry, MessageEntry):
        return None
    message = {name: value for name, value in format_message(entry.message).items() if name != ENVELOPE_KEY}
    identity: dict[str, object] = {"id": entry.id, "seq": seq}
    if run_id is not None:
        identity["runId"] = run_id
        if message.get("role") == "user":
            # How a client that shows what it sent at once knows that this is the same message.
            message["idempotencyKey"] = identity["idempotencyKey"] = f"{run_id}:user"
    message["__openclaw"] = identity
    return message


def build_messages(
    entries: Iterable[StoredEntry], *, max_bytes: int = HISTORY_MAX_BYTES, max_chars: int | None = None
) -> tuple[list[dict[str, object]], bool]:
    """Messages in order within `max_bytes` of JSON, and whether older ones were dropped for that.

    The newest message is always among them: a client that asked for little still sees where the conversation is.
    `max_chars` cuts longer texts of single blocks and says so in them.
    """
    built = [message for stored in entries if (message := build_message(stored.entry, stored.seq)) is not None]
    if max_chars is not None:
        built = [_cut(message, max_chars) for message in built]
    kept, room = len(built), max_bytes
    while kept > 0:
        room -= len(encode_json(built[kept - 1])) + 1
        if room < 0 and kept < len(built):
            break
        kept -= 1
    return built[kept:], kept > 0


def _cut(message: dict[str, object], max_chars: int) -> dict[str, object]:
    content = message.get("content")
    if isinstance(content, str):
        return {**message, "content": _cut_text(content, max_chars)}
    if isinstance(content, list):
        return {**message, "content": [_cut_block(block, max_chars) for block in content]}
    return message


def _cut_block(block: object, max_chars: int) -> object:
    if not isinstance(block, dict):
        return block
    text = block.get("text")
    return {**block, "text": _cut_text(text, max_chars)} if isinstance(text, str) else block


def _cut_text(text: str, max_chars: int) -> str:
    return text if len(text) <= max_chars else text[:max_chars] + _CUT_MARK


def build_text_message(text: str, *, at: int) -> dict[str, object]:
    """An assistant's text as `chat` events carry it."""
    return {"role": "assistant", "content": [{"type": "text", "text": text}], "timestamp": at}
