"""Old images are shown once, not for ever (PRUNE-19).

An image costs as much as a page of text each time it is sent again. The model has seen those of earlier turns and
written down what it made of them; in the view of later requests a short marker stands in their place. The three
most recent completed turns and the one that runs keep theirs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from instar.core.context.turns import split_turns
from instar.core.model.entry import (
    AnyMessage,
    Block,
    ImageBlock,
    TextBlock,
    ToolResultMessage,
    UserMessage,
)
from instar.core.transcript.repair import PlacedMessage

__all__ = ["KEPT_TURNS", "build_replay_view"]

KEPT_TURNS: Final = 3
"""Completed turns whose images are sent again."""

_IMAGE_MARKER: Final = "[An image stood here; it was looked at in an earlier turn.]"
_REFERENCE_MARKER: Final = "[A media file was named here; it was looked at in an earlier turn.]"

_REFERENCE: Final = re.compile(r"\[(?:media attached|image: source):[^\]\n]*\]|media://inbound/\S+", re.IGNORECASE)
"""How transcripts name media that a client would load again."""


def build_replay_view(messages: Sequence[PlacedMessage]) -> tuple[PlacedMessage, ...]:
    """The messages with images and media references of older turns replaced, in user and tool messages only."""
    border = _border(messages)
    return tuple(_without_media(placed) if index < border else placed for index, placed in enumerate(messages))


def _border(messages: Sequence[PlacedMessage]) -> int:
    """The place from which messages stay: the start of the oldest kept turn; 0 when there are no more turns."""
    closed = [turn.start for turn in split_turns(placed.message for placed in messages) if turn.is_closed]
    return closed[-KEPT_TURNS] if len(closed) >= KEPT_TURNS else 0


def _without_media(placed: PlacedMessage) -> PlacedMessage:
    message = placed.message
    shown: AnyMessage
    if isinstance(message, UserMessage):
        words = message.content
        content = _replaced_text(words) if isinstance(words, str) else _replaced(words)
        if content == words:
            return placed
        shown = replace(message, content=content, extra=_without_content(message.extra))
    elif isinstance(message, ToolResultMessage):
        blocks = _replaced(message.content)
        if blocks == message.content:
            return placed
        shown = replace(message, content=blocks, extra=_without_content(message.extra))
    else:
        return placed
    return PlacedMessage(entry_id=placed.entry_id, message=shown)


def _without_content(extra: Mapping[str, object]) -> dict[str, object]:
    """The extra fields without an original spelling of the content, which would win over the new one."""
    return {name: value for name, value in extra.items() if name != "content"}


def _replaced(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    return tuple(_replaced_block(block) for block in blocks)


def _replaced_block(block: Block) -> Block:
    if isinstance(block, ImageBlock):
        return TextBlock(text=_IMAGE_MARKER)
    if isinstance(block, TextBlock):
        text = _replaced_text(block.text)
        return block if text == block.text else replace(block, text=text)
    return block


def _replaced_text(text: str) -> str:
    # Most texts hold neither; asking first is a hundred times quicker than the pattern.
    return _REFERENCE.sub(_REFERENCE_MARKER, text) if "[" in text or "://" in text else text
