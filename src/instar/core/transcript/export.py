"""A session as a document: JSON for programs, Markdown and HTML for people (CLI-4, CLI-20).

Values in, documents out. Which entries go in (the active branch, or all) and whether secrets are taken out first is
the caller's decision; JSON Lines are the transcript file itself (docs/formats/transcript.md).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Final

from instar.core.model.entry import (
    AnyEntry,
    AnyMessage,
    AssistantMessage,
    BranchSummaryEntry,
    CompactionEntry,
    CustomMessageEntry,
    Header,
    ImageBlock,
    MessageEntry,
    ModelChangeEntry,
    OtherMessage,
    ThinkingLevelEntry,
    ToolCall,
    ToolResultMessage,
    UserMessage,
)
from instar.core.model.ids import AgentId, Instant, SessionId, SessionKey
from instar.core.model.instant import format_iso
from instar.core.transcript.codec import format_entry, format_header
from instar.core.transcript.text import content_text, message_text

__all__ = ["EXPORT_FORMAT", "SessionExport", "build_document", "build_lines", "render_html", "render_markdown"]

EXPORT_FORMAT: Final = "instar-session"
"""The `format` of the JSON document; its `version` is 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionExport:
    """What is exported. `row` is the session's entry under the names of ENTRY-*; `title` is for people."""

    key: SessionKey
    session_id: SessionId
    agent_id: AgentId
    exported_at: Instant
    header: Header | None
    entries: tuple[AnyEntry, ...]
    row: Mapping[str, object] = field(default_factory=dict)
    title: str = ""


# --- for programs -----------------------------------------------------------------------------------------------------


def build_document(export: SessionExport) -> dict[str, object]:
    """The JSON document of CLI-20. Times are epoch milliseconds, but those inside `header` and `entries`."""
    return {
        "format": EXPORT_FORMAT,
        "version": 1,
        "exportedAt": export.exported_at,
        "key": export.key,
        "sessionId": export.session_id,
        "agentId": export.agent_id,
        "entry": dict(export.row),
        "header": None if export.header is None else format_header(export.header),
        "entries": [format_entry(entry) for entry in export.entries],
        "messages": [_message_row(entry) for entry in export.entries if isinstance(entry, MessageEntry)],
    }


def build_lines(header: Header | None, entries: Iterable[AnyEntry]) -> Iterator[dict[str, object]]:
    """The objects of a transcript file, one a line."""
    if header is not None:
        yield format_header(header)
    for entry in entries:
        yield format_entry(entry)


def _message_row(entry: MessageEntry) -> dict[str, object]:
    message = entry.message
    row: dict[str, object] = {
        "id": entry.id,
        "role": _role(message),
        "timestamp": _time(entry),
        "text": message_text(message),
    }
    if isinstance(message, ToolResultMessage):
        row |= {"toolName": message.tool_name, "toolCallId": message.tool_call_id}
    return row


def _role(message: AnyMessage) -> str:
    match message:
        case UserMessage():
            return "user"
        case AssistantMessage():
            return "assistant"
        case ToolResultMessage():
            return "toolResult"
        case _:
            return message.role


def _time(entry: AnyEntry) -> Instant | None:
    """When an entry was said: the message's own time, else the line's."""
    message = entry.message if isinstance(entry, MessageEntry) else None
    own = None if message is None or isinstance(message, OtherMessage) else message.timestamp
    return entry.timestamp if own is None else own


# --- for people -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One piece of the story: who or what, when, the words, and what is shown as code below them."""

    title: str
    at: Instant | None
    words: str = ""
    code: tuple[tuple[str, str], ...] = ()


def _parts(entries: Iterable[AnyEntry]) -> Iterator[_Part]:
    for entry in entries:
        match entry:
            case MessageEntry():
                yield _message_part(entry)
            case CustomMessageEntry():
                yield _Part(title=f"Note ({entry.custom_type})", at=entry.timestamp, words=content_text(entry.content))
            case CompactionEntry():
                yield _Part(title="Summary of what came before", at=entry.timestamp, words=entry.summary)
            case BranchSummaryEntry():
                yield _Part(title="Summary of a branch that was left", at=entry.timestamp, words=entry.summary)
            case ModelChangeEntry():
                words = f"{entry.provider}/{entry.model_id}"
                yield _Part(title="Model", at=entry.timestamp, words=words)
            case ThinkingLevelEntry():
                yield _Part(title="Thinking", at=entry.timestamp, words=entry.thinking_level)
            case _:
                pass


def _message_part(entry: MessageEntry) -> _Part:
    message, at = entry.message, _time(entry)
    words = message_text(message)
    match message:
        case UserMessage():
            return _Part(title="User", at=at, words=_with_images(words, message.content))
        case AssistantMessage():
            calls = tuple(
                (block.name, json.dumps(block.arguments, ensure_ascii=False, indent=2))
                for block in message.content
                if isinstance(block, ToolCall)
            )
            error = f"{words}\n\n[{message.error_message}]".strip() if message.error_message else words
            return _Part(title="Assistant", at=at, words=error, code=calls)
        case ToolResultMessage():
            title = f"Result of {message.tool_name}" + (" (failed)" if message.is_error else "")
            shown = _with_images("", message.content)
            return _Part(title=title, at=at, words=shown, code=(("", words),) if words else ())
        case _:
            return _Part(title=message.role or "Message", at=at, words=words)


def _with_images(words: str, content: str | tuple[object, ...]) -> str:
    images = 0 if isinstance(content, str) else sum(isinstance(block, ImageBlock) for block in content)
    note = f"[{images} image{'s' if images > 1 else ''}]" if images else ""
    return "\n\n".join(part for part in (words, note) if part)


def _facts(export: SessionExport) -> list[tuple[str, str]]:
    facts = [
        ("Session key", export.key),
        ("Session id", export.session_id),
        ("Agent", export.agent_id),
        ("Exported", format_iso(export.exported_at)),
    ]
    began = export.header.timestamp if export.header else None
    return facts if began is None else [*facts, ("Began", format_iso(began))]


def render_markdown(export: SessionExport) -> str:
    """The session as Markdown. Words stand as they were written; code fences are longer than any inside them."""
    lines = [f"# {_one_line(export.title or export.key)}", ""]
    lines += [f"- {name}: `{value}`" for name, value in _facts(export)]
    for part in _parts(export.entries):
        lines += ["", f"## {_one_line(part.title)}{_when(part.at)}"]
        if part.words:
            lines += ["", part.words]
        for name, code in part.code:
            fence = "`" * max(3, *(len(run) + 1 for run in re.findall(r"`+", code)), 0)
            lines += ["", *([f"Call of `{_one_line(name)}`:", ""] if name else []), fence, code, fence]
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _when(at: Instant | None) -> str:
    return "" if at is None else f" · {format_iso(at)}"


_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "h2{font-size:1rem;margin:2rem 0 .25rem}time,dt{color:#666;font-weight:400}dl{display:grid;grid-template-columns:"
    "max-content 1fr;gap:0 1rem}dd{margin:0}div,pre{white-space:pre-wrap;overflow-wrap:anywhere}"
    "pre{background:#f4f4f4;padding:.5rem;border-radius:.25rem}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}pre{background:#262626}}"
)


def render_html(export: SessionExport) -> str:
    """The session as one page without scripts or outside parts; every word of it is escaped."""
    title = escape(_one_line(export.title or export.key))
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in _facts(export))
    body = "".join(_html_part(part) for part in _parts(export.entries))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n<dl>{facts}</dl>\n"
        f"{body}</body>\n</html>\n"
    )


def _html_part(part: _Part) -> str:
    time = "" if part.at is None else f" <time>{format_iso(part.at)}</time>"
    words = f"<div>{escape(part.words)}</div>\n" if part.words else ""
    code = "".join(
        f"<details><summary>{escape(_one_line(name)) or 'output'}</summary><pre>{escape(text)}</pre></details>\n"
        for name, text in part.code
    )
    return f"<section>\n<h2>{escape(_one_line(part.title))}{time}</h2>\n{words}{code}</section>\n"
