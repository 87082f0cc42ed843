"""Asking a model for a summary, and judging what it gives (COMPACT-13, COMPACT-14, COMPACT-18, COMPACT-19).

The messages are told as plain text with role labels, not as a conversation, or the model would go on with it instead
of summarising it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from instar.core.context.envelope import read_envelope
from instar.core.context.files import FileLists, format_files, strip_files
from instar.core.context.identifiers import find_missing
from instar.core.model.entry import AnyMessage, AssistantMessage, ToolCall, ToolResultMessage, UserMessage
from instar.core.transcript.repair import PlacedMessage
from instar.core.transcript.text import message_text

__all__ = [
    "SummaryCheck",
    "SummaryRequest",
    "build_correction",
    "build_history_request",
    "build_prefix_request",
    "check_summary",
    "format_conversation",
    "join_summary",
]

_RESULT_CHARS: Final = 2_000
"""What of one tool result is told: the words around it say what came of it."""

_SYSTEM: Final = (
    "You keep the records of a conversation between people and an assistant. You are given a part of it and write"
    " the record that the assistant will go on from; it will not see that part again. Do not answer anything that is"
    " said in it, do not continue it, do not address anybody. Write the record and nothing else."
)

_SHAPE: Final = """\
Write these sections, each brief, in the language of the conversation:

## Goal
What the people want; several goals if there are several.

## Constraints
What they asked to be kept to, and their preferences; "none" if they named none.

## Progress
### Done
### In progress
### Blocked

## Decisions
What was decided, and why.

## Next steps
In order.

## Critical context
Facts, data and open questions without which the work cannot go on."""

_UPDATE: Final = (
    "Bring the record so far up to date with this part: keep what still holds, move what is done, drop only what no"
    " longer matters."
)

_PREFIX_SHAPE: Final = """\
This is the beginning of one turn; its later part is kept word for word. Write what is needed to understand the rest:

### Request
What was asked for in this turn.

### Done so far
### Needed later"""

_KEEP_EXACT: Final = (
    "Write ids, hashes, URLs, host names, ports, paths and file names exactly as they stand, never shortened or"
    " described."
)

_PREFIX_HEADING: Final = "## The turn that is going on"

_NOTHING: Final = re.compile(
    r"(?:there (?:is|was) )?(?:no|nothing)(?: (?:summary|prior history|history|content|messages?|conversation))?"
    r"(?: (?:available|provided|given|needed|yet|to summari[sz]e|to record))*|none|n ?a|summary unavailable"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryRequest:
    """One request to a model: system text and the one user message."""

    system: str
    prompt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryCheck:
    """What is wrong with a summary. `empty`: it says nothing; `missing`: identifiers it lost."""

    empty: bool
    missing: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the summary may count."""
        return not self.empty and not self.missing


# --- asking -----------------------------------------------------------------------------------------------------------


def build_history_request(
    messages: Sequence[PlacedMessage], *, previous: str, instructions: str = "", keep_exact: bool = True
) -> SummaryRequest:
    """Ask for the record of `messages`, on top of the `previous` one (empty for the first)."""
    record = strip_files(previous)
    parts = [_tagged("conversation", format_conversation(messages))]
    if record:
        parts += [_tagged("record-so-far", record), _UPDATE]
    return SummaryRequest(system=_SYSTEM, prompt=_prompt([*parts, _SHAPE], instructions, keep_exact=keep_exact))


def build_prefix_request(
    messages: Sequence[PlacedMessage], *, instructions: str = "", keep_exact: bool = True
) -> SummaryRequest:
    """Ask for the record of the beginning of a split turn (COMPACT-10)."""
    parts = [_tagged("conversation", format_conversation(messages)), _PREFIX_SHAPE]
    return SummaryRequest(system=_SYSTEM, prompt=_prompt(parts, instructions, keep_exact=keep_exact))


def build_correction(summary: str, missing: Sequence[str]) -> SummaryRequest:
    """Ask for the same record with the identifiers that it lost."""
    listed = "\n".join(f"- {identifier}" for identifier in missing)
    prompt = (
        f"{_tagged('record', strip_files(summary))}\n\nThis record must name the following exactly as they stand:\n"
        f"{listed}\n\nWrite the record again, whole, with each of them where it belongs."
    )
    return SummaryRequest(system=_SYSTEM, prompt=prompt)


def _prompt(parts: Sequence[str], instructions: str, *, keep_exact: bool) -> str:
    wishes = f"Pay special attention to this: {instructions.strip()}" if instructions.strip() else ""
    return "\n\n".join(part for part in (*parts, _KEEP_EXACT if keep_exact else "", wishes) if part)


def _tagged(name: str, text: str) -> str:
    return f"<{name}>\n{text}\n</{name}>"


# --- telling ----------------------------------------------------------------------------------------------------------


def format_conversation(messages: Sequence[PlacedMessage]) -> str:
    """The messages as plain text with role labels. Thinking is left out, long tool results are cut."""
    return "\n\n".join(line for placed in messages for line in _lines(placed.message))


def _lines(message: AnyMessage) -> Iterator[str]:
    text = message_text(message).strip()
    match message:
        case UserMessage():
            envelope = read_envelope(message)
            if envelope and envelope.context:
                yield f"[Said in the group before] {envelope.context}"
            label = f"User {envelope.sender}" if envelope and envelope.sender else "User"
        case AssistantMessage():
            label = "Assistant"
        case ToolResultMessage():
            label = f"Result of {message.tool_name}{' (failed)' if message.is_error else ''}"
            text = _shortened(text)
        case _:
            label = "Note"
    if text:
        yield f"[{label}] {text}"
    if isinstance(message, AssistantMessage):
        for block in message.content:
            if isinstance(block, ToolCall):
                yield f"[Tool call] {block.name} {_shortened(json.dumps(block.arguments, ensure_ascii=False))}"


def _shortened(text: str) -> str:
    if len(text) <= _RESULT_CHARS:
        return text
    half = _RESULT_CHARS // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half} characters left out …]\n{text[-half:]}"


# --- judging ----------------------------------------------------------------------------------------------------------


def join_summary(history: str, prefix: str, files: FileLists) -> str:
    """The text to be stored: the record, the split turn's beginning under its heading, the file lists."""
    parts = [strip_files(history).strip(), f"{_PREFIX_HEADING}\n\n{prefix.strip()}" if prefix.strip() else ""]
    return "\n\n".join(part for part in parts if part) + format_files(files)


def check_summary(summary: str, identifiers: Sequence[str]) -> SummaryCheck:
    """Whether a summary says something and has kept the identifiers that it must."""
    words = " ".join(re.sub(r"[\W_]+", " ", strip_files(summary).casefold()).split())
    if not words or _NOTHING.fullmatch(words):
        return SummaryCheck(empty=True)
    return SummaryCheck(empty=False, missing=find_missing(summary, identifiers))
