"""Who wrote in a group, when, and what was said before: told to the model, no part of the words (TRANS-21).

The transcript stores what the person wrote. The facts around it stand beside the words, in the user message's
`envelope` field:

    {"role": "user", "content": "shall we?", "timestamp": 1773144000000,
     "envelope": {"sender": "Ann", "at": 1773144000000, "context": "Bob: tomorrow at six"}}

and only the model gets them as text:

    Bob: tomorrow at six

    [Current message - respond to this]
    [Ann 2026-03-10 12:00] shall we?
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from instar.core.model.entry import Block, TextBlock, UserMessage
from instar.core.model.ids import Instant
from instar.core.model.instant import read_instant

__all__ = [
    "CURRENT_MESSAGE_MARKER",
    "ENVELOPE_KEY",
    "Envelope",
    "add_envelope",
    "format_envelope",
    "read_envelope",
    "show_envelope",
]

ENVELOPE_KEY: Final = "envelope"
"""The field of a user message, and its key in `UserMessage.extra`."""

CURRENT_MESSAGE_MARKER: Final = "[Current message - respond to this]"
"""Stands between group context and the message itself; CMD-2 cuts up to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The facts around a message. `sender` None: the model is not told who wrote (direct chats).

    `at` is when the person wrote, None if unknown. `context` is what was said in the group before, and not
    answered (ACT-7), as text with one message a line; empty if nothing was.
    """

    sender: str | None = None
    at: Instant | None = None
    context: str = ""


def add_envelope(message: UserMessage, envelope: Envelope) -> UserMessage:
    """The message with the facts beside its words; as it is when there are none."""
    if envelope.sender is None and not envelope.context:
        return message
    raw: dict[str, object] = {}
    if envelope.sender is not None:
        raw["sender"] = envelope.sender
    if envelope.at is not None:
        raw["at"] = envelope.at
    if envelope.context:
        raw["context"] = envelope.context
    return replace(message, extra={**message.extra, ENVELOPE_KEY: raw})


def read_envelope(message: UserMessage) -> Envelope | None:
    """The facts beside a message's words, None if there are none. Odd fields count as absent."""
    raw = message.extra.get(ENVELOPE_KEY)
    if not isinstance(raw, Mapping):
        return None
    sender, at, context = raw.get("sender"), raw.get("at"), raw.get("context")
    return Envelope(
        sender=sender if isinstance(sender, str) else None,
        at=read_instant(at),
        context=context if isinstance(context, str) else "",
    )


def format_envelope(envelope: Envelope, zone: tzinfo) -> str:
    """What stands in front of the words for the model. `zone` is the one in which people read times."""
    head = f"{envelope.context}\n\n{CURRENT_MESSAGE_MARKER}\n" if envelope.context else ""
    # A name is chosen by its bearer: without brackets and line ends it cannot pass for another's prefix.
    name = " ".join((envelope.sender or "").translate(_PLAIN).split())
    if not name:
        return head
    time = "" if envelope.at is None else f" {_clock_time(envelope.at, zone)}"
    return f"{head}[{name}{time}] "


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PLAIN: Final = str.maketrans("[]", "()")


def _clock_time(at: Instant, zone: tzinfo) -> str:
    return (_EPOCH + timedelta(milliseconds=at)).astimezone(zone).strftime("%Y-%m-%d %H:%M")


def show_envelope(message: UserMessage, zone: tzinfo) -> UserMessage:
    """The message as the model sees it: the facts in front of the words, in the first text."""
    envelope = read_envelope(message)
    prefix = format_envelope(envelope, zone) if envelope is not None else ""
    if not prefix:
        return message
    return replace(message, content=_prefixed(message.content, prefix))


def _prefixed(content: str | tuple[Block, ...], prefix: str) -> str | tuple[Block, ...]:
    if isinstance(content, str):
        return prefix + content
    for index, block in enumerate(content):
        if isinstance(block, TextBlock):
            return (*content[:index], replace(block, text=prefix + block.text), *content[index + 1 :])
    return (TextBlock(text=prefix.rstrip()), *content)
