"""Entries and headers ⇄ JSON objects, exactly the lines of a transcript file (TRANS-1 to TRANS-4).

An object here is what a JSON decoder gives: dicts with text keys, lists, text, numbers, booleans, None. Turning
bytes into objects and back is the stores' affair. Three laws hold:

* `format_entry(parse_entry(raw)) == raw` for every object, and likewise for headers: nothing of a line is lost;
* `parse_entry(format_entry(entry)) == entry` for every entry that was parsed or built with the documented types;
* nothing raises on odd data: what cannot be understood becomes an `OtherEntry` that holds the line as it is.

Written keys stand in a stable order, `type`, `id`, `parentId`, `timestamp` first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import assert_never

from instar.core.model.entry import (
    AnyEntry,
    BranchSummaryEntry,
    CompactionEntry,
    CustomEntry,
    CustomMessageEntry,
    Header,
    LabelEntry,
    MessageEntry,
    ModelChangeEntry,
    OtherEntry,
    SessionInfoEntry,
    ThinkingLevelEntry,
)
from instar.core.model.ids import EntryId, SessionId
from instar.core.transcript.codec_blocks import format_content, read_content
from instar.core.transcript.codec_fields import ABSENT, FieldReader, put_extra, put_timestamp
from instar.core.transcript.codec_messages import format_message, parse_message

__all__ = ["HEADER_TYPE", "format_entry", "format_header", "parse_entry", "parse_header"]

HEADER_TYPE = "session"
"""The `type` of the first line (TRANS-2)."""

_TypedEntry = (
    MessageEntry
    | CompactionEntry
    | BranchSummaryEntry
    | CustomEntry
    | CustomMessageEntry
    | ModelChangeEntry
    | ThinkingLevelEntry
    | LabelEntry
    | SessionInfoEntry
)
"""Every entry whose line is made from its fields."""

_BASE = frozenset({"type", "id", "parentId", "timestamp"})
_HEADER = frozenset({"type", "version", "id", "timestamp", "cwd", "parentSession"})
_MESSAGE = _BASE | {"message"}
_COMPACTION = _BASE | {"summary", "firstKeptEntryId", "tokensBefore", "details"}
_BRANCH_SUMMARY = _BASE | {"fromId", "summary", "details"}
_CUSTOM = _BASE | {"customType", "data"}
_CUSTOM_MESSAGE = _BASE | {"customType", "content", "display", "details"}
_MODEL_CHANGE = _BASE | {"provider", "modelId"}
_THINKING_LEVEL = _BASE | {"thinkingLevel"}
_LABEL = _BASE | {"targetId", "label"}
_SESSION_INFO = _BASE | {"name"}


# --- headers ----------------------------------------------------------------------------------------------------------


def parse_header(raw: Mapping[str, object]) -> Header | None:
    """The header that an object describes, None if it is none. `version` is 0 where it is missing or no number."""
    session_id = raw.get("id")
    if raw.get("type") != HEADER_TYPE or type(session_id) is not str:
        return None
    reader = FieldReader(raw, seen=2)
    return Header(
        id=SessionId(session_id),
        timestamp=reader.line_time(),
        cwd=reader.text("cwd"),
        version=reader.count("version"),
        parent_session=reader.optional_text("parentSession"),
        extra=reader.rest(_HEADER),
    )


def format_header(header: Header) -> dict[str, object]:
    """The JSON object of a header."""
    raw: dict[str, object] = {"type": HEADER_TYPE, "version": header.version, "id": header.id}
    put_timestamp(raw, header.timestamp)
    raw["cwd"] = header.cwd
    if header.parent_session is not None:
        raw["parentSession"] = header.parent_session
    return put_extra(raw, header.extra)


# --- entries: reading -------------------------------------------------------------------------------------------------


def parse_entry(raw: Mapping[str, object]) -> AnyEntry:
    """The entry that an object describes; `OtherEntry` for a type this build does not know, or a broken line."""
    kind, entry_id, parent_id = raw.get("type"), raw.get("id"), raw.get("parentId")
    if type(kind) is str and type(entry_id) is str and (parent_id is None or type(parent_id) is str):
        parse = _PARSERS.get(kind)
        entry = parse(raw, FieldReader(raw, seen=2), EntryId(entry_id)) if parse is not None else None
        if entry is not None:
            return entry
    reader = FieldReader(raw)
    return OtherEntry(
        id=EntryId(entry_id if type(entry_id) is str else ""),
        parent_id=EntryId(parent_id) if type(parent_id) is str else None,
        timestamp=reader.line_time(),
        type=kind if type(kind) is str else "",
        raw=raw,
    )


def _parent(raw: Mapping[str, object], reader: FieldReader) -> EntryId | None:
    """The parent. A line without the field is a root, and stays without it (TRANS-16: such lines exist)."""
    parent_id = raw.get("parentId", ABSENT)
    if parent_id is ABSENT:
        reader.keep("parentId")
        return None
    reader.take()
    return EntryId(parent_id) if type(parent_id) is str else None


def _parse_message_entry(raw: Mapping[str, object], reader: FieldReader, entry_id: EntryId) -> AnyEntry | None:
    message = raw.get("message")
    if not isinstance(message, dict):
        return None
    reader.take()
    return MessageEntry(
        id=entry_id,
        parent_id=_parent(raw, reader),
        timestamp=reader.line_time(),
        message=parse_message(message),
        extra=reader.rest(_MESSAGE),
    )


def _parse_compaction(raw: Mapping[str, object], reader: FieldReader, entry_id: EntryId) -> AnyEntry | None:
    summary, first_kept_id = raw.get("summary"), raw.get("firstKeptEntryId")
    if type(summary) is not str or type(first_kept_id) is not str:
        return None
    reader.take()
    reader.take()
    return CompactionEntry(
        id=entry_id,
        parent_id=_parent(raw, reader),
        timestamp=reader.line_time(),
        summary=summary,
        first_kept_id=EntryId(first_kept_id),
        tokens_before=reader.count("tokensBefore"),
        details=reader.optional("details"),
        extra=reader.rest(_COMPACTION),
    )


def _parse_branch_summary(raw: Mapping[str, object], reader: FieldReader, entry_id: EntryId) -> AnyEntry | None:
    summary = raw.get("summary")
    if type(summary) is not str:
        return None
    reader.take()
    return BranchSummaryEntry(
        id=entry_id,
        parent_id=_parent(raw, reader),
        timestamp=reader.line_time(),
        from_id=reader.text("fromId"),
        summary=summary,
        details=reader.optional("details"),
        extra=reader.rest(_BRANCH_SUMMARY),
    )


def _parse_custom(raw: Mapping[str, object], reader: FieldReader, entry_id: EntryId) -> AnyEntry:
    return CustomEntry(
        id=entry_id,
        parent_id=_parent(raw, reader),
        timestamp=reader.line_time(),
        custom_type=reader.text("customType"),
        data=reader.optional("data"),
        extra=reader.rest(_CUSTOM),
    )


def _parse_custom_message(raw: Mapping[str, object], reader: FieldReader, entry_id: EntryId) -> AnyEntry | None:
    content = read_content(raw, reader)
    if content is None:
        return None
    return CustomMessageEntry(
        id=entry_id,
        parent_id=_parent(raw, reader),
        timestamp=reader.line_time(),
        custom_type=reader.text("customType"),
        content=content,
        display=reader.flag("display"),
        details=reader.optional("details"),
        extra=reader.rest(_CUSTOM_MESSAGE),
    )


def _parse_model_change(raw: Mapping[str, object], reader: FieldReader, entry_id: EntryId) -> AnyEntry:
    return ModelChangeEntry(
        id=entry_id,
        parent_id=_parent(raw, reader),
        timestamp=reader.line_time(),
        provider=reader.text("provider"),
        model_id=reader.text("modelId"),
        extra=reader.rest(_MODEL_CHANGE),
    )


def _parse_thinking_level(raw: Mapping[str, object], reader: FieldReader, entry_id: EntryId) -> AnyEntry:
    return ThinkingLevelEntry(
        id=entry_id,
        parent_id=_parent(raw, reader),
        timestamp=reader.line_time(),
        thinking_level=reader.text("thinkingLevel"),
        extra=reader.rest(_THINKING_LEVEL),
    )


def _parse_label(raw: Mapping[str, object], reader: FieldReader, entry_id: EntryId) -> AnyEntry:
    return LabelEntry(
        id=entry_id,
        parent_id=_parent(raw, reader),
        timestamp=reader.line_time(),
        target_id=reader.text("targetId"),
        label=reader.optional_text("label"),
        extra=reader.rest(_LABEL),
    )


def _parse_session_info(raw: Mapping[str, object], reader: FieldReader, entry_id: EntryId) -> AnyEntry:
    return SessionInfoEntry(
        id=entry_id,
        parent_id=_parent(raw, reader),
        timestamp=reader.line_time(),
        name=reader.text("name"),
        extra=reader.rest(_SESSION_INFO),
    )


_PARSERS: dict[str, Callable[[Mapping[str, object], FieldReader, EntryId], AnyEntry | None]] = {
    "message": _parse_message_entry,
    "compaction": _parse_compaction,
    "branch_summary": _parse_branch_summary,
    "custom": _parse_custom,
    "custom_message": _parse_custom_message,
    "model_change": _parse_model_change,
    "thinking_level_change": _parse_thinking_level,
    "label": _parse_label,
    "session_info": _parse_session_info,
}


# --- entries: writing -------------------------------------------------------------------------------------------------


def format_entry(entry: AnyEntry) -> dict[str, object]:
    """The JSON object of an entry."""
    if isinstance(entry, OtherEntry):
        return dict(entry.raw)
    kind, fields = _fields(entry)
    raw: dict[str, object] = {"type": kind, "id": entry.id, "parentId": entry.parent_id}
    put_timestamp(raw, entry.timestamp)
    raw.update(fields)
    return put_extra(raw, entry.extra)


def _fields(entry: _TypedEntry) -> tuple[str, dict[str, object]]:
    """The type word of an entry and the fields that only its type has."""
    match entry:
        case MessageEntry():
            return "message", {"message": format_message(entry.message)}
        case CompactionEntry():
            fields: dict[str, object] = {
                "summary": entry.summary,
                "firstKeptEntryId": entry.first_kept_id,
                "tokensBefore": entry.tokens_before,
            }
            return "compaction", _with_optional(fields, "details", entry.details)
        case BranchSummaryEntry():
            fields = {"fromId": entry.from_id, "summary": entry.summary}
            return "branch_summary", _with_optional(fields, "details", entry.details)
        case CustomEntry():
            return "custom", _with_optional({"customType": entry.custom_type}, "data", entry.data)
        case CustomMessageEntry():
            content = format_content(entry.content)
            fields = {"customType": entry.custom_type, "content": content, "display": entry.display}
            return "custom_message", _with_optional(fields, "details", entry.details)
        case ModelChangeEntry():
            return "model_change", {"provider": entry.provider, "modelId": entry.model_id}
        case ThinkingLevelEntry():
            return "thinking_level_change", {"thinkingLevel": entry.thinking_level}
        case LabelEntry():
            return "label", _with_optional({"targetId": entry.target_id}, "label", entry.label)
        case SessionInfoEntry():
            return "session_info", {"name": entry.name}
        case _:
            assert_never(entry)


def _with_optional(fields: dict[str, object], name: str, value: object | None) -> dict[str, object]:
    if value is not None:
        fields[name] = value
    return fields
