"""The messages of a view in the form a provider accepts (TRANS-10, TRANS-13, TRANS-20, TRANS-21).

What goes out are user messages, answers and tool results, nothing else:

* summaries, plug-in messages and shell runs become user messages that say what they are;
* the envelope of a group message goes in front of its words;
* messages without any content are left out, since providers refuse them;
* a context that does not begin with a user gets a first line that says so;
* calls and results are paired (`instar.core.transcript.repair`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import tzinfo
from typing import Final, assert_never

from instar.core.context.envelope import show_envelope
from instar.core.model.entry import AnyMessage, AssistantMessage, OtherMessage, ToolResultMessage, UserMessage
from instar.core.transcript.repair import PlacedMessage, RepairedView, repair_view
from instar.core.transcript.text import message_text, other_content

__all__ = ["NOT_BY_A_PERSON", "render_messages"]

_SUMMARY_HEAD = "What was said before this point was left out to save room. A summary of it:"
_BRANCH_HEAD = "The conversation was tried in another direction, which was then left. A summary of that:"
NOT_BY_A_PERSON: Final[Mapping[str, object]] = {"fromPerson": False}
"""Marks a message that a plug-in or the gateway put in; runners that quote people leave it out."""

_BEGINNING = "[The conversation begins here.]"


def render_messages(messages: Iterable[PlacedMessage], zone: tzinfo) -> RepairedView:
    """The messages as they go to a provider, with what had to be repaired.

    `zone` is the one in which people read times.
    """
    repaired = repair_view(tuple(_rendered(messages, zone)))
    if not repaired.messages or isinstance(repaired.messages[0].message, UserMessage):
        return repaired
    beginning = PlacedMessage(entry_id=None, message=UserMessage(content=_BEGINNING, timestamp=None))
    return RepairedView(
        messages=(beginning, *repaired.messages),
        unanswered_calls=repaired.unanswered_calls,
        orphaned_results=repaired.orphaned_results,
    )


def _rendered(messages: Iterable[PlacedMessage], zone: tzinfo) -> Iterator[PlacedMessage]:
    for placed in messages:
        shown = _shown(placed.message, zone)
        if shown is placed.message:
            yield placed
        elif shown is not None:
            yield PlacedMessage(entry_id=placed.entry_id, message=shown)


def _shown(message: AnyMessage, zone: tzinfo) -> AnyMessage | None:
    """The message as the model gets it, None for one it does not get."""
    match message:
        case UserMessage():
            shown = show_envelope(message, zone)
            return shown if shown.content else None
        case AssistantMessage():
            return message if message.content else None
        case ToolResultMessage():
            return message
        case OtherMessage():
            return _other_shown(message)
        case _:
            assert_never(message)


def _other_shown(message: OtherMessage) -> UserMessage | None:
    """The user message that stands for one of another role; one that no person wrote says so in `extra`."""
    match message.role:
        case "custom":
            content = other_content(message)
            return UserMessage(content=content, timestamp=None, extra=NOT_BY_A_PERSON) if content else None
        case "compactionSummary":
            content = _framed(_SUMMARY_HEAD, message_text(message))
        case "branchSummary":
            content = _framed(_BRANCH_HEAD, message_text(message))
        case "bashExecution":
            content = _bash_text(message)
        case _:
            content = ""
    return UserMessage(content=content, timestamp=None) if content else None


def _framed(head: str, summary: str) -> str:
    return f"{head}\n\n<summary>\n{summary}\n</summary>" if summary else ""


def _bash_text(message: OtherMessage) -> str:
    """A shell run of a person: command, output, how it ended. One the person kept from the model is empty."""
    raw = message.raw
    if raw.get("excludeFromContext") is True:
        return ""
    output = raw.get("output")
    text = f"I ran `{raw.get('command')}`.\n" + (f"```\n{output}\n```" if output else "It printed nothing.")
    if raw.get("cancelled") is True:
        return f"{text}\nI cancelled it."
    exit_code = raw.get("exitCode")
    return f"{text}\nIt ended with code {exit_code}." if exit_code else text
