"""What people wrote, as lines of a transcript (TRANS-5, TRANS-21, QUEUE-5).

The transcript holds the words as they were written. Who wrote in a group, and when, stands in the envelope beside
them. Files that are no images are named in the words, since a transcript has no place for them; their content stays
with the inbox row.
"""

from __future__ import annotations

from collections.abc import Sequence

from instar.core.context.envelope import Envelope, add_envelope
from instar.core.model.change import InboxItem
from instar.core.model.entry import AnyEntry, Block, ImageBlock, MessageEntry, TextBlock, UserMessage
from instar.core.model.ids import EntryId, Instant
from instar.core.model.message import Attachment

__all__ = ["FIRST_WORDS_CHARS", "build_first_words", "build_user_entries"]

FIRST_WORDS_CHARS = 200
"""How much of the first message a session row keeps for its title, which is at most 60 characters (ENTRY-12)."""


def build_user_entries(
    items: Sequence[InboxItem],
    entry_ids: Sequence[EntryId],
    *,
    now: Instant,
    text: str | None = None,
    context: str = "",
) -> tuple[AnyEntry, ...]:
    """One line for each message, in order, not yet hung on a leaf.

    `text` takes the place of a single message's words: what is left of it after a command (CMD-7). `context` is what
    was said in the group before the first of them (ACT-7). Several messages are numbered for the model (QUEUE-5).
    """
    numbered = len(items) > 1
    return tuple(
        MessageEntry(
            id=entry_id,
            parent_id=None,
            timestamp=now,
            message=_build_message(
                item,
                text=item.submission.inbound.text if text is None else text,
                context=context if place == 0 else "",
                number=place + 1 if numbered else None,
            ),
        )
        for place, (item, entry_id) in enumerate(zip(items, entry_ids, strict=True))
    )


def build_first_words(entries: Sequence[AnyEntry]) -> str | None:
    """The beginning of the first user message in one line; None when there is none with text (ENTRY-12)."""
    for entry in entries:
        if isinstance(entry, MessageEntry) and isinstance(entry.message, UserMessage):
            words = " ".join(_plain_text(entry.message).split())[:FIRST_WORDS_CHARS]
            if words:
                return words
    return None


def _build_message(item: InboxItem, *, text: str, context: str, number: int | None) -> UserMessage:
    inbound = item.submission.inbound
    is_group = inbound.chat.type != "direct"
    at = item.received_at if inbound.at is None else inbound.at
    message = UserMessage(content=_build_content(text, inbound.attachments), timestamp=at)
    envelope = Envelope(sender=_sender_of(item, number) if is_group or number else None, at=at, context=context)
    return add_envelope(message, envelope)


def _sender_of(item: InboxItem, number: int | None) -> str:
    sender = item.submission.inbound.sender
    name = sender.name or sender.id
    return name if number is None else f"#{number} {name}"


def _build_content(text: str, attachments: Sequence[Attachment]) -> str | tuple[Block, ...]:
    images = tuple(
        ImageBlock(data=one.data_base64, mime_type=one.mime_type)
        for one in attachments
        if one.mime_type.startswith("image/")
    )
    names = [f"[file: {one.name} ({one.mime_type})]" for one in attachments if not one.mime_type.startswith("image/")]
    words = "\n".join([text, *names]) if text else "\n".join(names)
    if not images:
        return words
    return (*((TextBlock(text=words),) if words else ()), *images)


def _plain_text(message: UserMessage) -> str:
    if isinstance(message.content, str):
        return message.content
    return " ".join(block.text for block in message.content if isinstance(block, TextBlock))
