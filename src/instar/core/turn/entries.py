"""What people wrote, as lines of a transcript (TRANS-5, TRANS-21, QUEUE-5).

The transcript holds the words as they were written. Who wrote in a group, and when, stands in the envelope beside
them. Files that are no images are named in the words, since a transcript has no place for them; their content stays
with the inbox row.

What was said in a group without waking the agent, what was left out because too much was waiting, and that other
sessions have changed is told before the message, in the same envelope. A message that a turn has taken already and
that gets one of its own as well (QUEUE-7) is in the transcript; its turn begins with a line for the model that points
back to it.
"""

from __future__ import annotations

from collections.abc import Sequence

from instar.core.context.envelope import CURRENT_MESSAGE_MARKER, Envelope, add_envelope
from instar.core.model.change import InboxItem
from instar.core.model.entry import (
    AnyEntry,
    Block,
    CustomMessageEntry,
    ImageBlock,
    MessageEntry,
    TextBlock,
    UserMessage,
)
from instar.core.model.ids import EntryId, Instant
from instar.core.model.message import Attachment
from instar.core.model.state import WaitingNotice
from instar.core.turn.recover import read_steered

__all__ = [
    "BACKLOG_TYPE",
    "CONTEXT_LINE_CHARS",
    "FIRST_WORDS_CHARS",
    "build_dropped_context",
    "build_first_words",
    "build_group_context",
    "build_notice_context",
    "build_user_entries",
]

BACKLOG_TYPE = "instar.backlog"
"""`customType` of the prompt that points back to a message which is in the transcript already (QUEUE-7)."""

CONTEXT_LINE_CHARS = 1_000
"""The longest line of group context; what is longer is cut, since it is context and not the message (ACT-7)."""

FIRST_WORDS_CHARS = 200
"""How much of the first message a session row keeps for its title, which is at most 60 characters (ENTRY-12)."""


def build_user_entries(
    items: Sequence[InboxItem],
    entry_ids: Sequence[EntryId],
    *,
    now: Instant,
    text: str | None = None,
    contexts: Sequence[str] = (),
) -> tuple[AnyEntry, ...]:
    """One line for each message, in order, not yet hung on a leaf.

    `text` takes the place of a single message's words: what is left of it after a command (CMD-7). `contexts` is what
    was said in the group before each of them (ACT-7), empty without. Several messages are numbered for the model
    (QUEUE-5).
    """
    numbered = len(items) > 1
    return tuple(
        _build_entry(
            item,
            entry_id,
            now=now,
            text=item.submission.inbound.text if text is None else text,
            context=contexts[place] if contexts else "",
            number=place + 1 if numbered else None,
        )
        for place, (item, entry_id) in enumerate(zip(items, entry_ids, strict=True))
    )


def build_group_context(observed: Sequence[InboxItem]) -> str:
    """What was said in a group and not answered, one message a line; empty if nothing was (ACT-7).

    A message without any words left (its session was deleted) is passed over.
    """
    lines = (
        (item.submission.inbound.sender.name or item.submission.inbound.sender.id, _one_line(item)) for item in observed
    )
    return "\n".join(f"{' '.join(name.split())}: {line}" for name, line in lines if line)


def build_dropped_context(count: int, lines: Sequence[str]) -> str:
    """What the agent is told of messages that fell to a full queue (QUEUE-13); empty if none did."""
    if not count:
        return ""
    one = count == 1
    head = f"{count} earlier {'message was' if one else 'messages were'} left out, because too many were waiting"
    return "\n".join([f"{head}:", *(f"- {_unmarked(line)}" for line in lines)]) if lines else f"{head}."


def build_notice_context(notices: Sequence[WaitingNotice]) -> str:
    """What the agent is told of changes in other sessions, one a line (STATE-4); empty without any."""
    return "\n".join(notice.text for notice in notices)


def build_first_words(entries: Sequence[AnyEntry]) -> str | None:
    """The beginning of the first user message in one line; None when there is none with text (ENTRY-12)."""
    for entry in entries:
        if isinstance(entry, MessageEntry) and isinstance(entry.message, UserMessage):
            words = " ".join(_plain_text(entry.message).split())[:FIRST_WORDS_CHARS]
            if words:
                return words
    return None


def _build_entry(
    item: InboxItem, entry_id: EntryId, *, now: Instant, text: str, context: str, number: int | None
) -> AnyEntry:
    if read_steered(item) is not None:
        prompt = f"Now answer this message, which came while you were busy and which you have seen above: {text}"
        prompt = f"{context}\n\n{prompt}" if context else prompt
        return CustomMessageEntry(
            id=entry_id, parent_id=None, timestamp=now, custom_type=BACKLOG_TYPE, content=prompt, display=False
        )
    message = _build_message(item, text=text, context=context, number=number)
    return MessageEntry(id=entry_id, parent_id=None, timestamp=now, message=message)


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


def _one_line(item: InboxItem) -> str:
    """A message as one line of context, its files by name."""
    inbound = item.submission.inbound
    files = [f"[file: {one.name}]" for one in inbound.attachments]
    line = _unmarked(" ".join([*inbound.text.split(), *files]))
    return line if len(line) <= CONTEXT_LINE_CHARS else f"{line[: CONTEXT_LINE_CHARS - 1].rstrip()}…"


def _unmarked(line: str) -> str:
    """The line without the words that end a context: whoever writes them must not pass for the message itself."""
    return line.replace(CURRENT_MESSAGE_MARKER, CURRENT_MESSAGE_MARKER.strip("[]"))


def _plain_text(message: UserMessage) -> str:
    if isinstance(message.content, str):
        return message.content
    return " ".join(block.text for block in message.content if isinstance(block, TextBlock))
