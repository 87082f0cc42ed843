"""What lies in a state directory of the January 2026 shape or before: found without following a single link (STORE-12).

Three layouts are known: ``agents/<id>/sessions``, the older ``sessions`` without agents, and one folder per session
key with ``session.json`` and ``transcript.jsonl`` (STORE-9).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from instar.core.lifecycle.archive_name import ArchiveName, parse_archive_name
from instar.errors import NotFound

__all__ = ["FoundKeyFolder", "FoundMemory", "FoundSessions", "FoundState", "scan_state", "transcript_id"]

_CONFIGS: Final = ("openclaw.json", "clawdbot.json", "moltbot.json")
_INDEX: Final = "sessions.json"
_MEMORY: Final = (
    *("AGENTS.md", "SOUL.md", "USER.md", "MEMORY.md", "memory.md", "TOOLS.md", "IDENTITY.md"),
    *("HEARTBEAT.md", "BOOT.md", "BOOTSTRAP.md"),
)
_DATABASES: Final = (".sqlite", ".sqlite-wal", ".sqlite3", ".sqlite3-wal", ".db", ".db-wal")
_OWN_DATABASE: Final = "instar.db"
"""Our own mirror can be imported too, and the database beside it is no other program's."""

_EMPTY: Final = (".lock.sqlite", "-lock.sqlite", "-writer.sqlite")
"""Databases that hold nothing but the right to write to another one."""

_GENERATION: Final = re.compile(r"\.[0-9a-f]{32}(?=(?:\.zst)?$)")
"""What later versions put behind the time in the name of an archive."""

_DEPTH: Final = 8


@dataclass(slots=True, kw_only=True)
class FoundSessions:
    """A folder of sessions. `archives` are transcripts that were reset, deleted or copied, with what the name says.

    `is_indexed_elsewhere` says that it needs no index: a database has the sessions.
    """

    folder: Path
    agent_id: str
    index: Path | None = None
    transcripts: dict[str, Path] = field(default_factory=dict)
    archives: list[tuple[ArchiveName, Path]] = field(default_factory=list)
    is_indexed_elsewhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundKeyFolder:
    """The folder of one session key (STORE-9). `key` is what its name says."""

    key: str
    entry: Path | None
    transcript: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundMemory:
    """A memory file of an agent's workspace; `agent_id` is empty for the default one, `name` the place in there."""

    agent_id: str
    name: str
    path: Path


@dataclass(slots=True, kw_only=True)
class FoundState:
    """Everything worth a line of the report. `refused` are links and what is no plain file, each with the reason.

    `databases` are those of later versions, with their logs. `others` counts files of a workspace that are no memory.
    """

    root: Path
    config: Path | None = None
    sessions: list[FoundSessions] = field(default_factory=list)
    key_folders: list[FoundKeyFolder] = field(default_factory=list)
    memory: list[FoundMemory] = field(default_factory=list)
    others: dict[str, int] = field(default_factory=dict)
    cron: list[Path] = field(default_factory=list)
    databases: list[Path] = field(default_factory=list)
    credentials: list[Path] = field(default_factory=list)
    refused: list[tuple[Path, str]] = field(default_factory=list)


def scan_state(root: Path) -> FoundState:
    """What a state directory holds. Raises `NotFound` for no directory, OSError."""
    if not root.is_dir():
        raise NotFound(f"{root} is no directory", fix="Name the state directory, such as ~/.openclaw.")
    found = FoundState(root=root)
    for path in _files(root, root, found):
        parts = path.relative_to(root).parts
        match parts:
            case [name] if name in _CONFIGS:
                found.config = found.config or path
            case ["agents", agent, "sessions", name]:
                _sort_in(_folder(found, path.parent, agent), path, name)
            case ["sessions", name]:
                _sort_in(_folder(found, path.parent, ""), path, name)
            case ["sessions", folder, ("session.json" | "transcript.jsonl")]:
                _key_folder(found, path.parent, unquote(folder))
            case ["cron", *_]:
                found.cron.append(path)
            case ["credentials", name] if name.endswith(("-allowFrom.json", "-pairing.json")):
                found.credentials.append(path)
            case [workspace, *rest] if rest and workspace.partition("-")[0] == "workspace":
                _sort_memory(found, path, workspace, rest)
            case [*_, name] if name.endswith(_EMPTY):
                pass
            case [*_, name] if name.endswith(_DATABASES) and not name.startswith(_OWN_DATABASE):
                found.databases.append(path)
            case _:
                pass
    return found


def transcript_id(name: str) -> str:
    """The session id that a transcript's file name tells, without a topic."""
    return unquote(name.removesuffix(".jsonl").partition("-topic-")[0])


def _files(folder: Path, root: Path, found: FoundState, depth: int = 0) -> Iterator[Path]:
    """Every plain file below a folder, in order of names; links are refused by name and never followed."""
    try:
        listed = sorted(os.scandir(folder), key=lambda one: one.name)
    except OSError as error:
        found.refused.append((folder, error.strerror or str(error)))
        return
    for one in listed:
        path = Path(one.path)
        if one.is_symlink():
            found.refused.append((path, "it is a link, and links are not followed"))
        elif one.is_dir() and depth < _DEPTH:
            yield from _files(path, root, found, depth + 1)
        elif one.is_file():
            yield path
        elif not one.is_dir():
            found.refused.append((path, "it is no plain file"))


def _folder(found: FoundState, folder: Path, agent_id: str) -> FoundSessions:
    known = next((one for one in found.sessions if one.folder == folder), None)
    if known is None:
        known = FoundSessions(folder=folder, agent_id=agent_id)
        found.sessions.append(known)
    return known


def _sort_in(sessions: FoundSessions, path: Path, name: str) -> None:
    archive = parse_archive_name(_GENERATION.sub("", name))
    if name == _INDEX:
        sessions.index = path
    elif name.endswith(".jsonl"):
        sessions.transcripts[name] = path
    elif archive is not None:
        sessions.archives.append((archive, path))


def _key_folder(found: FoundState, folder: Path, key: str) -> None:
    if any(one.key == key for one in found.key_folders):
        return
    entry, transcript = folder / "session.json", folder / "transcript.jsonl"
    is_file = {path: path.is_file() and not path.is_symlink() for path in (entry, transcript)}
    found.key_folders.append(
        FoundKeyFolder(
            key=key, entry=entry if is_file[entry] else None, transcript=transcript if is_file[transcript] else None
        )
    )


def _sort_memory(found: FoundState, path: Path, workspace: str, rest: list[str]) -> None:
    if _is_memory(rest):
        agent_id = workspace.removeprefix("workspace").removeprefix("-")
        found.memory.append(FoundMemory(agent_id=agent_id, name="/".join(rest), path=path))
    else:
        found.others[workspace] = found.others.get(workspace, 0) + 1


def _is_memory(parts: list[str]) -> bool:
    """Files that an agent's memory is made of: the named ones, and Markdown below ``memory``."""
    return (len(parts) == 1 and parts[0] in _MEMORY) or (parts[0] == "memory" and parts[-1].endswith(".md"))
