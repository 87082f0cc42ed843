"""Which files the summarised part read and changed (COMPACT-19)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from instar.core.model.entry import AnyMessage, AssistantMessage, ToolCall

__all__ = ["FileLists", "collect_files", "format_files", "parse_files", "strip_files"]

_READ_TOOLS: Final = frozenset({"read"})
_CHANGE_TOOLS: Final = frozenset({"write", "edit"})
_PATH_ARGUMENTS: Final = ("path", "file_path", "filePath")

_SECTION: Final = re.compile(r"\n+## Files (?:read|changed)\n(?:- [^\n]*(?:\n|$))*", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLists:
    """Paths, sorted; one that was changed is only in `changed`."""

    read: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


def collect_files(messages: Iterable[AnyMessage], before: FileLists) -> FileLists:
    """The files of the tool calls in `messages`, together with those known `before`."""
    read, changed = set(before.read), set(before.changed)
    for message in messages:
        if not isinstance(message, AssistantMessage):
            continue
        for block in message.content:
            if isinstance(block, ToolCall) and (path := _path(block.arguments)):
                name = block.name.lower()
                if name in _CHANGE_TOOLS:
                    changed.add(path)
                elif name in _READ_TOOLS:
                    read.add(path)
    return FileLists(read=tuple(sorted(read - changed)), changed=tuple(sorted(changed)))


def _path(arguments: Mapping[str, object]) -> str | None:
    paths = (arguments.get(name) for name in _PATH_ARGUMENTS)
    # A line end in a path could pass for another item of the list.
    return next((" ".join(path.split("\n")) for path in paths if isinstance(path, str) and path), None)


def parse_files(details: object) -> FileLists:
    """The lists in the details of an earlier compaction, empty where they are missing or odd."""
    if not isinstance(details, Mapping):
        return FileLists()
    return FileLists(read=_paths(details.get("readFiles")), changed=_paths(details.get("modifiedFiles")))


def _paths(value: object) -> tuple[str, ...]:
    return tuple(path for path in value if isinstance(path, str)) if isinstance(value, list) else ()


def format_files(files: FileLists) -> str:
    """The lists as the end of a summary, empty without files."""
    sections = (("## Files read", files.read), ("## Files changed", files.changed))
    return "".join(f"\n\n{title}\n" + "\n".join(f"- {path}" for path in paths) for title, paths in sections if paths)


def strip_files(summary: str) -> str:
    """A summary without its lists, so that they are not told twice in the next one."""
    return _SECTION.sub("", summary).rstrip()
